import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sandboxOn } from "./shared.ts";
import { own, repository, SLOW, scratchDir, sh } from "./support.ts";

describe("a file that the user shares", SLOW, () => {
  it("is readable inside and not writable", async () => {
    const root = await repository();
    const home = await scratchDir("home");
    const skills = join(home, "my skills", "one");
    const agents = join(home, "AGENTS.md");
    await mkdir(skills, { recursive: true });
    await writeFile(join(skills, "SKILL.md"), "Do it.\n");
    await writeFile(agents, "Be brief.\n");
    await own(agents, join(skills, "SKILL.md"), skills, join(home, "my skills"));
    const sandbox = await sandboxOn(root, {
      sharedFiles: [
        { source: agents, codexHomeName: "AGENTS.md" },
        { source: join(home, "my skills") },
        { source: join(home, "absent") },
      ],
    });
    expect(sandbox.notes.join()).toContain("absent is not shared with the agent");
    const script = 'cat "$CODEX_HOME/AGENTS.md" "$1/SKILL.md"; ls "$2"';
    expect(await sh(sandbox, script, skills, home)).toMatchObject({
      stdout: "Be brief.\nDo it.\nmy skills\n",
    });
    const attack = await sh(
      sandbox,
      'echo x > "$CODEX_HOME/AGENTS.md"; echo x > "$1/SKILL.md"; rm -rf "$1"; rm "$CODEX_HOME/AGENTS.md"; mv "$CODEX_HOME/AGENTS.md" /tmp; touch "$1/new"',
      skills,
    );
    expect(attack.exitCode).not.toBe(0);
    expect(await readFile(agents, "utf8")).toBe("Be brief.\n");
    expect(await readFile(join(skills, "SKILL.md"), "utf8")).toBe("Do it.\n");
  });
});
