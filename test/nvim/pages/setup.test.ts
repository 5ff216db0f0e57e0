import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type NeovimProgram, neovims, startNeovim } from "../../support/neovim.ts";

const SANDBOX = { section: "Sandbox" };
const ENGINE = {
  ...{ ...SANDBOX, step: "engine", level: "error", message: "No engine was found." },
  advice: [
    "Install one. On Debian 13:",
    "sudo apt-get install docker.io runsc",
    "If Docker is installed, start it: sudo systemctl enable --now docker",
  ],
};
const KEY = { section: "Model", level: "ok", message: "a key was found", advice: [] };
const GIT = { section: "Git", level: "warn", message: "git is old", advice: ["Update git."] };
const READY = ["engine", "gvisor"].map((step) => ({
  ...{ ...SANDBOX, step, level: "ok", message: `${step} is there`, advice: [] },
}));

describe.each(neovims)(":CodexChat setup on Neovim $name", (program) => {
  it("shows each step with the commands that it takes, which `gy` yanks", async () => {
    await using setup = await shown(program, [ENGINE, KEY, GIT]);
    const { nvim } = setup;
    await setup.until("✘ No engine was found.");
    expect((await nvim.lines()).join("\n")).toMatchInlineSnapshot(`
      "# Set up codex-chat.nvim

      \`gy\` yanks the command under the cursor. \`R\` checks again, and so does coming back.

      ## ✔ 1. Node
      host_cmd starts the host.

      ## ✘ 2. Engine
      Docker or Podman runs the container in which Codex works.
      ✘ No engine was found.
      Install one. On Debian 13:
      \`\`\`
      sudo apt-get install docker.io runsc
      \`\`\`

      If Docker is installed, start it:
      \`\`\`
      sudo systemctl enable --now docker
      \`\`\`

      ## ○ 3. gVisor
      It is the container's own kernel: commands of Codex's never reach yours.
      It is checked once the steps before it are done.

      ## ○ 4. Image
      It holds Codex and its tools. The first message builds it, once.
      It is checked once the steps before it are done.

      ## ✔ 5. Key or login
      a key was found

      ## Also
      ! git is old
      Update git.

      ## ○ 6. A first question
      Then this opens a conversation; write, and send with \`<C-s>\`:
      \`\`\`
      :CodexChat
      \`\`\`"
    `);
    expect(await nvim.lua("return vim.fn.getline('.')")).toBe("## ✘ 2. Engine");
    await nvim.lua("vim.fn.search('sudo apt-get')");
    await nvim.keys("gy");
    expect(await nvim.lua("return vim.fn.getreg('\"')")).toBe(
      "sudo apt-get install docker.io runsc\n",
    );
    await nvim.command("normal! gg");
    await nvim.keys("gy");
    expect(await nvim.messages()).toContain("no command under the cursor");
  });

  it("checks again with `R` and whenever the user comes back, until all is ready", async () => {
    await using setup = await shown(program, [ENGINE, KEY]);
    const { nvim } = setup;
    await setup.until("✘ 2. Engine");
    await setup.found([...READY.slice(0, 1), KEY]);
    await nvim.keys("R");
    await setup.until("✔ 2. Engine");
    await setup.until("○ 3. gVisor");
    await setup.found([...READY, KEY]);
    await nvim.command("wincmd p");
    await nvim.command("wincmd p");
    await setup.until("✔ 3. gVisor");
    await setup.until("✔ 6. A first question");
    await setup.found([...READY, { ...KEY, level: "error", message: "the key is gone" }]);
    await nvim.command("doautocmd FocusGained");
    await setup.until("✘ the key is gone");
    await nvim.keys("q");
    await nvim.until("vim.fn.bufexists('codex-chat://setup') == 0");
    await nvim.command("doautocmd FocusGained");
  });

  it("names what the host lacks, and that the rest is checked later", async () => {
    await using nvim = await startNeovim({ program, config: { node: "no-such-node" } });
    await nvim.command("CodexChat setup");
    const text = (await nvim.lines()).join("\n");
    expect(text).toContain("✘ 1. Node");
    expect(text).toContain("Node was not found as `no-such-node`");
    expect(text).toContain("○ 2. Engine");
    expect(text).toContain("It is checked once the steps before it are done.");
  });
});

/** The page over a host that finds this. */
async function shown(program: NeovimProgram, lines: readonly object[]) {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-setup-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const found = (next: readonly object[]) =>
    writeFile(join(dir, "found.json"), JSON.stringify(next));
  await found(lines);
  const host = join(dir, "host");
  await writeFile(host, `#!/bin/sh\ncat > /dev/null\ncat ${dir}/found.json\n`);
  await chmod(host, 0o755);
  const nvim = await startNeovim({ program, config: { host_cmd: [host] } });
  await nvim.command("CodexChat setup");
  return {
    nvim,
    found,
    until: (text: string) =>
      expect.poll(async () => (await nvim.lines()).join("\n")).toContain(text),
    [Symbol.asyncDispose]: () => nvim[Symbol.asyncDispose](),
  };
}
