import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";

describe.each(neovims)(":checkhealth codex-chat on Neovim $name", (program) => {
  it("shows the host's findings with their advice, and errors in the configuration", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
    try {
      const host = join(dir, "host");
      const found = [
        { section: "Model", level: "ok", message: "a key was found", advice: [] },
        { section: "Sandbox", level: "error", message: "no engine", advice: ["start Docker"] },
      ];
      // Answers with its arguments and input too, so that the test sees what it was asked.
      await writeFile(join(dir, "found.json"), JSON.stringify(found));
      await writeFile(
        host,
        `#!/bin/sh\necho "$1" > ${dir}/asked\ncat >> ${dir}/asked\ncat ${dir}/found.json\n`,
      );
      await chmod(host, 0o755);
      await using nvim = await startNeovim({ program, config: { host_cmd: [host], modle: "x" } });
      await nvim.command("checkhealth codex-chat");
      const text = (await nvim.lines()).join("\n");
      expect(text).toMatch(/ERROR.*unknown key `modle`; did you mean `model`\?/);
      expect(text).toMatch(/codex-chat: Model[\s\S]*OK.*a key was found/);
      expect(text).toMatch(/codex-chat: Sandbox[\s\S]*ERROR.*no engine[\s\S]*start Docker/);
      const asked = await nvim.lua<string[]>("return vim.fn.readfile(...)", join(dir, "asked"));
      expect(asked[0]).toBe("--health");
      expect(JSON.parse(asked[1] ?? "")).toHaveProperty("state_dir");
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("is found in a Neovim that has just started, as README.md installs it", async () => {
    const readme = await readFile(join(repository, "README.md"), "utf8");
    const spec = /With lazy\.nvim:\n\n```lua\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    await using nvim = await startNeovim({ program });
    // Neovim finds no check of a plugin that is still to be loaded.
    expect(await nvim.lua(`return (${spec}).lazy`)).toBe(false);
    await nvim.command("checkhealth codex-chat");
    expect((await nvim.lines()).join("\n")).toContain("codex-chat: Neovim");
    expect(await nvim.messages()).not.toContain("E5009");
  });

  it("lists everything that the host lacks at once, and each command it recommends helps", async () => {
    // A clone that was not built, beside which nothing has made the help's tags.
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    for (const name of ["lua", "plugin", "doc/codex-chat.txt"])
      await cp(join(repository, name), join(dir, name), { recursive: true });
    const old = join(dir, "old-node");
    await writeFile(old, "#!/bin/sh\necho v18.19.0\n", { mode: 0o755 });
    await using nvim = await startNeovim({ program, bare: true, config: { node: "no-such-node" } });
    await nvim.lua("vim.opt.runtimepath:prepend(...)", dir);
    const check = async () => {
      await nvim.command("checkhealth codex-chat");
      return (await nvim.lines()).join("\n");
    };
    const first = await check();
    expect(first).toMatch(
      /ERROR Node was not found as `no-such-node`[\s\S]*Install Node 20\.19 or newer/,
    );
    expect(first).toMatch(
      /ERROR The plugin was not built: .*dist\/host\.mjs is missing\.[\s\S]*npm ci && npm run build/,
    );
    expect(first).toContain("once the host can start");
    const help = /^ +- :(helptags .*)$/m.exec(first)?.[1] ?? "";
    await nvim.command(help);
    await nvim.command("help codex-chat");
    await nvim.lua("vim.g.codex_chat = { node = ... }", old);
    const second = await check();
    expect(second).toMatch(/ERROR .*old-node is Node v18\.19\.0; 20\.19 or newer/);
    // Each command is on one line of 80 columns.
    for (const wanted of [
      /^ +- Debian 13: sudo apt-get install nodejs$/m,
      /^ +- Without root: npm install --prefix ~\/\.local\/node node@22$/m,
      /^ +and in init\.lua: vim\.g\.codex_chat = \{ node = ".*" \}$/m,
    ])
      expect(second).toMatch(wanted);
    await nvim.command("help codex-chat-node");
    expect(second).toContain("OK The help has tags");
    // As building does.
    await mkdir(join(dir, "dist"));
    await writeFile(join(dir, "dist/host.mjs"), "process.stdout.write('[]')");
    await nvim.lua("vim.g.codex_chat = { node = ... }", process.execPath);
    const third = await check();
    expect(third).toMatch(/OK Node v2\d/);
    expect(third).not.toContain("ERROR");
  });
});
