import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../test/support/root.ts";
import { filesOfCommand } from "./git-words.ts";

/** A project in a home, with scripts in `tools`; `ask` names what a command uses of it. */
async function project() {
  const home = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-wörds-")));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const top = join(home, "proj");
  await mkdir(join(top, "tools/lint"), { recursive: true });
  for (const name of ["tools/fmt", "tools/gen.js", "tools/check.py", "tools/lint/__main__.py"])
    await writeFile(join(top, name), "");
  const isInProject = (path: string) => path.startsWith(`${top}/`);
  const ask = async (command: string, env: Record<string, string> = {}) => {
    const given = command.replaceAll("TOP", top);
    const found = await filesOfCommand(given, { top, isInProject, env: { HOME: home, ...env } });
    return { files: found.files.map((it) => relative(top, it)), isUnclear: found.isUnclear };
  };
  return { home, top, ask };
}

describe("the files that a command of git's configuration uses", () => {
  it.each([
    ["tools/fmt", "tools/fmt"],
    ["!./tools/fmt --all", "tools/fmt"],
    ["~/proj/tools/fmt", "tools/fmt"],
    ["$HOME/proj/tools/fmt", "tools/fmt"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    ["${HOME}/proj/tools/fmt", "tools/fmt"],
    ['"$(git rev-parse --show-toplevel)/tools/fmt"', "tools/fmt"],
    ["`git rev-parse --show-toplevel`/tools/fmt", "tools/fmt"],
    ["sh -c 'exec $PWD/tools/fmt'", "tools/fmt"],
    ["TOP/tools/fmt", "tools/fmt"],
    ["node ./tools/gen", "tools/gen.js"],
    ["python3 -O tools/check.py", "tools/check.py"],
    ["python3 -m tools.check", "tools/check.py"],
    ["python3 tools/lint", "tools/lint/__main__.py"],
    ["!cd tools && ./fmt", "tools/fmt"],
    ["env CONFIG=tools/check.py prog", "tools/check.py"],
    ["prog --config=tools/check.py", "tools/check.py"],
    ["PATH=tools:$PATH fmt", "tools/fmt"],
    ["$WHERE/fmt", "tools/fmt"],
  ])("are found in %s", async (command, file) => {
    const { top, ask } = await project();
    expect(await ask(command, { WHERE: join(top, "tools") })).toEqual({
      files: expect.arrayContaining([file]),
      isUnclear: false,
    });
  });

  it("are found through the home of a user who is named", async () => {
    const { ask } = await project();
    // Root's home is no part of the project.
    expect(await ask("~root/tools/fmt")).toEqual({ files: [], isUnclear: false });
  });

  it.each([
    "!cd $(git rev-parse --show-toplevel) && make",
    "TOP/tools/absent",
    "./absent --now",
    "make -C ./tools",
  ])("are called unclear where it names the project and nothing is found: %s", async (command) => {
    const { ask } = await project();
    expect(await ask(command)).toEqual({ files: [], isUnclear: true });
  });

  it.each([
    "log --graph --format='%h %s' origin/main..HEAD",
    "!git fetch && git rebase $(git merge-base HEAD origin/main)",
    "less -FRX",
    `!echo ${"a".repeat(6000)}`,
    "ssh -i ~/.ssh/id_work",
  ])("are none in %s", async (command) => {
    const { ask } = await project();
    expect(await ask(command)).toEqual({ files: [], isUnclear: false });
  });

  it("are where a link leads to, and the link makes them unclear", async () => {
    const { top, home, ask } = await project();
    await symlink("tools", join(top, "scripts"));
    expect(await ask("scripts/fmt")).toEqual({ files: ["tools/fmt"], isUnclear: true });
    // A link outside of the project is not the agent's to change.
    await symlink(join(top, "tools"), join(home, "bin"));
    expect(await ask("~/bin/fmt")).toEqual({ files: ["tools/fmt"], isUnclear: false });
  });

  itUnlessRoot("are not taken for absent in a closed directory", async () => {
    const { top, ask } = await project();
    await chmod(join(top, "tools"), 0o444);
    onTestFinished(() => chmod(join(top, "tools"), 0o755));
    await expect(ask("tools/fmt")).rejects.toThrow(/cannot be looked at \(EACCES\)/);
  });
});
