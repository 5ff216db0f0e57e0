import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

const NAMES = ["node", "git", "rg", "env", "xclip", "xsel", "wl-paste", "wl-copy", "xdg-open"];

/** Where programs of the agent's lie, and what ran of them. */
class Planted {
  readonly base: string;
  readonly bin: string;
  readonly #mark: string;

  constructor(base: string, bin: string) {
    this.base = base;
    this.bin = bin;
    this.#mark = join(base, "mark");
  }

  /** Below a directory that is no project by itself: `project/bin`, unless another place is named. */
  static async make(bin = "project/bin"): Promise<Planted> {
    const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-programs-")));
    onTestFinished(() => rm(base, { recursive: true, force: true }));
    await mkdir(join(base, "project", ".git"), { recursive: true });
    const planted = new Planted(base, join(base, bin));
    await mkdir(planted.bin, { recursive: true });
    for (const name of NAMES) await planted.program(name);
    return planted;
  }

  get project(): string {
    return join(this.base, "project");
  }

  async program(name: string, dir = this.bin): Promise<void> {
    await mkdir(dir, { recursive: true });
    await writeFile(
      join(dir, name),
      `#!/bin/sh\nprintf '%s\\n' "$0 $*" >> '${this.#mark}'\necho v99.0.0\n`,
    );
    await chmod(join(dir, name), 0o755);
  }

  async ran(): Promise<string> {
    return readFile(this.#mark, "utf8").catch(() => "");
  }
}

const SYSTEM = `${dirname(process.execPath)}:${process.env["PATH"]}`;

/** A Neovim in the project that is about to start the real host, by this PATH. */
async function start(
  program: (typeof neovims)[number],
  planted: Planted,
  path: string,
  config: Record<string, unknown> = {},
): Promise<Neovim> {
  const nvim = await startNeovim({
    program,
    config,
    cwd: planted.project,
    env: { PATH: path, DISPLAY: ":99", WAYLAND_DISPLAY: "wayland-99" },
  });
  onTestFinished(() => nvim.close());
  return nvim;
}

const HOST = `vim.fn.jobpid(vim.iter(vim.api.nvim_list_chans()):find(function(it)
  return it.mode == "rpc" and it.stream == "job"
end).id)`;

/** What Linux says that the host was started as. */
async function hostCommand(nvim: Neovim): Promise<string> {
  const pid = await nvim.lua<number>(`return ${HOST}`);
  return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
}

async function hostPath(nvim: Neovim): Promise<string[]> {
  const pid = await nvim.lua<number>(`return ${HOST}`);
  const env = (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0");
  return (env.find((variable) => variable.startsWith("PATH=")) ?? "")
    .slice("PATH=".length)
    .split(":");
}

/** The ways in which a PATH leads into the project. */
const ways: Record<string, (planted: Planted) => Promise<string>> = {
  "a directory of the project": async ({ bin }) => bin,
  "a relative directory": async () => "bin",
  "an empty entry, which means the working directory": async (planted) => {
    for (const name of NAMES) await planted.program(name, planted.project);
    return "";
  },
  "a link to a directory of the project": async ({ base, bin }) => {
    await symlink(bin, join(base, "link"));
    return join(base, "link");
  },
  "links in a directory outside": async ({ base, bin }) => {
    await mkdir(join(base, "bin"));
    for (const name of NAMES) await symlink(join(bin, name), join(base, "bin", name));
    return join(base, "bin");
  },
  "a symlink in it that leads out and in again": async ({ base, project, bin }) => {
    await symlink(bin, join(base, "again"));
    await symlink(join(base, "again"), join(project, "out"));
    return join(project, "out");
  },
};

describe.each(neovims)("a PATH that begins in the project, on Neovim $name,", (program) => {
  it.each(Object.keys(ways))("runs no program of the project through %s", async (name) => {
    const planted = await Planted.make();
    const first = await ways[name]?.(planted);
    const nvim = await start(program, planted, `${first}:${SYSTEM}`);
    await nvim.command("CodexChat");
    await nvim.until("require('codex-chat.registry').all()[1].host", "attached");
    expect(await hostCommand(nvim)).toMatch(/^\/\S*\/node /);
    expect(await hostPath(nvim)).not.toContain(first);
    await nvim.command("stopinsert");
    await nvim.command("checkhealth codex-chat");
    expect((await nvim.lines()).join("\n")).toContain(`Node ${process.version}`);
    await nvim.lua(
      `require("codex-chat.context.files").list(...)
      require("codex-chat.context.diff").get(...)
      require("codex-chat.context.image").get({ kind = "image" }, ...)
      require("codex-chat.outside.programs").copy("a ref")
      require("codex-chat.outside.programs").open("https://example.org/")`,
      planted.project,
    );
    expect(await planted.ran()).toBe("");
    // The same by Neovim's own means.
    await nvim.lua(
      "vim.system({ 'node', '--version' }):wait() vim.ui.open('https://example.org/')",
    );
    await expect.poll(() => planted.ran()).toContain("xdg-open https://example.org/");
    expect(await planted.ran()).toContain("node --version");
  });

  it("opens addresses with the user's own program", async () => {
    const planted = await Planted.make();
    await planted.program("xdg-open", join(planted.base, "own"));
    const nvim = await start(program, planted, `${planted.bin}:${planted.base}/own:${SYSTEM}`);
    await nvim.lua("vim.g.codex_chat = { host_cmd = { 'true' } }");
    await nvim.command("CodexChat");
    await nvim.command("stopinsert");
    await nvim.lua(
      "vim.api.nvim_buf_set_lines(0, -1, -1, false, { 'https://example.org/' }) vim.cmd('normal! G0')",
    );
    await nvim.type("gx");
    await nvim.lua("vim.api.nvim_feedkeys('gx', 'x', false)");
    await expect
      .poll(() => planted.ran())
      .toContain(`${planted.base}/own/xdg-open https://example.org/`);
    expect(await planted.ran()).not.toContain(planted.bin);
    expect(await nvim.lua("return vim.env.PATH")).toContain(planted.bin);
  });

  it("says where the only Node is, and what to do", async () => {
    const planted = await Planted.make();
    const nvim = await start(program, planted, planted.bin);
    await nvim.command("CodexChat");
    await expect
      .poll(async () => (await nvim.messages()).replaceAll("\n", " "))
      .toContain(`${planted.bin}/node is not run: it lies in the project ${planted.project}`);
    expect((await nvim.messages()).replaceAll("\n", " ")).toContain("or set `node`");
    await nvim.command("stopinsert");
    await nvim.command("checkhealth codex-chat");
    expect((await nvim.lines()).join(" ")).toMatch(/ERROR.*is not run: it lies in the project/);
    expect(await planted.ran()).toBe("");
  });

  it.each([
    ["by its path", "project/bin/node"],
    ["by a path with dots", "other/../project/bin/node"],
  ])("does not run a Node that the configuration names %s", async (_, path) => {
    const planted = await Planted.make();
    await mkdir(join(planted.base, "other"));
    const nvim = await start(program, planted, SYSTEM, { node: `${planted.base}/${path}` });
    await nvim.command("CodexChat");
    await expect.poll(async () => nvim.messages()).toContain("is not run");
    expect(await planted.ran()).toBe("");
  });

  it("keeps out a project that is opened later in the same Neovim", async () => {
    const planted = await Planted.make("second/bin");
    await mkdir(join(planted.base, "second", ".git"));
    const nvim = await start(program, planted, `${planted.bin}:${SYSTEM}`);
    await nvim.lua("vim.g.codex_chat = { host_cmd = { 'true' } }");
    await nvim.command("CodexChat");
    await nvim.command(`stopinsert | only | tabnew | tcd ${planted.base}/second | CodexChat`);
    await nvim.lua(
      `require("codex-chat.context.files").list(...)
      require("codex-chat.context.diff").get(...)`,
      planted.project,
    );
    expect(
      await nvim.lua("return { require('codex-chat.outside.programs').find('node') }"),
    ).toEqual([expect.not.stringContaining(planted.base)]);
    expect(await planted.ran()).toBe("");
  });

  it("passes no code of the project to Node through environment variables", async () => {
    await using chat = await openChat({ program });
    const { cwd } = chat.nvim;
    await writeFile(join(cwd, "hook.js"), "");
    await chat.nvim.lua(
      `vim.env.NODE_OPTIONS = "--max-old-space-size=500 --require=" .. ... .. "/hook.js"
       vim.env.NODE_PATH = "/usr/lib:" .. ... .. "/lib"`,
      cwd,
    );
    const env = "return require('codex-chat.outside.programs').env()";
    expect(await chat.nvim.lua(env)).toMatchObject({ NODE_OPTIONS: "", NODE_PATH: "/usr/lib" });
    await chat.nvim.lua("vim.env.NODE_OPTIONS = '--max-old-space-size=500'");
    expect(await chat.nvim.lua(env)).not.toHaveProperty("NODE_OPTIONS");
  });
});
