/** A project that has put on 'runtimepath' what Neovim would run: each file tells that it ran. */
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, relative } from "node:path";
import { type Neovim, repository } from "./neovim.ts";

/** Parsers that come with Neovim: a copy in the project is native code of the agent's. */
const PARSERS = ["c", "lua", "markdown", "markdown_inline", "query", "vim"] as const;

/** An answer in which every one of them is asked for. */
export const ANSWER: readonly string[] = [
  "Some *emphasis* here.",
  "",
  ...PARSERS.flatMap((name) => [`\`\`\`${name}`, "x = 1", "```", ""]),
  ...[
    "```lua",
    "local answer = 42",
    "```",
    "",
    "```ruby",
    "def colours",
    "```",
    "",
    "```planted",
    "x",
    "```",
    "",
    "```evil",
    "x",
    "```",
    "",
    "```../parser/evil",
    "x",
    "```",
    "",
    "<b>html</b>",
    "",
  ],
];

/** File types that the plugin gives to buffers, and the highlighting of commits and of code. */
const FILETYPES = [
  ...["codexchat", "codexchatpage", "codexchataudit", "qf", "git", "markdown"],
  ...["ruby", "planted"],
];

/** What was planted, and what ran of it. */
export class HostileRuntime {
  readonly dir: string;
  readonly #mark: string;

  constructor(dir: string, mark: string) {
    this.dir = dir;
    this.#mark = mark;
  }

  /** The planted files that ran, as paths below the project. */
  async ran(): Promise<string[]> {
    const text = await readFile(this.#mark, "utf8").catch(() => "");
    return [...new Set(text.split("\n").filter((line) => line !== ""))].sort();
  }

  /** The planted parsers that are in the process. */
  async mapped(nvim: Neovim): Promise<string[]> {
    const maps = await readFile(`/proc/${nvim.pid}/maps`, "utf8");
    const paths = maps.match(/\/.*$/gm) ?? [];
    return [...new Set(paths.filter((path) => path.startsWith(`${this.dir}/`)))]
      .map((path) => relative(this.dir, path))
      .sort();
  }

  /** Plants a file of Vim script or Lua that tells of itself, and then does what `lua` says. */
  async file(path: string, lua = "return {}"): Promise<void> {
    const text =
      extname(path) === ".vim"
        ? `call writefile(["${path}"], "${this.#mark}", "a")\n`
        : `local f = assert(io.open("${this.#mark}", "a"))\nf:write("${path}\\n")\nf:close()\n${lua}\n`;
    await this.text(path, text);
  }

  async text(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.dir, path)), { recursive: true });
    await writeFile(join(this.dir, path), text);
  }

  /** Plants everything that an agent may think of, for this Neovim. */
  async plant(nvim: Neovim): Promise<void> {
    for (const base of ["", "after/", "pack/a/start/b/"]) {
      for (const type of FILETYPES) {
        for (const kind of ["ftplugin", "indent", "syntax"])
          for (const ext of ["vim", "lua"]) await this.file(`${base}${kind}/${type}.${ext}`);
        await this.file(`${base}ftplugin/${type}_more.vim`);
        await this.file(`${base}ftplugin/${type}/more.lua`);
        await this.file(`${base}syntax/${type}/more.vim`);
      }
      await this.file(`${base}autoload/provider/clipboard.vim`);
    }
    await this.#parsers(nvim);
    await this.#queries();
    await this.#modules(nvim);
  }

  async #parsers(nvim: Neovim): Promise<void> {
    await mkdir(join(this.dir, "parser"), { recursive: true });
    for (const name of PARSERS) {
      const found = await nvim.lua<string[]>(
        "return vim.api.nvim_get_runtime_file(('parser/%s.*'):format(...), true)",
        name,
      );
      const own = found.find((path) => !path.startsWith(this.dir));
      if (own === undefined) throw new Error(`Neovim has no parser for ${name}`);
      await copyFile(own, join(this.dir, "parser", basename(own)));
    }
  }

  async #queries(): Promise<void> {
    await this.text("queries/lua/highlights.scm", "((identifier) @evil)\n");
    await this.text("after/queries/lua/highlights.scm", "; extends\n((identifier) @evil)\n");
    await this.text("queries/markdown/highlights.scm", "((inline) @evil)\n");
    await this.text(
      "queries/markdown/injections.scm",
      '; extends\n((inline) @injection.content (#set! injection.language "query"))\n',
    );
  }

  /** The plugin's modules, and those of Neovim that are not loaded before they are used. */
  async #modules(nvim: Neovim): Promise<void> {
    const runtime = await nvim.lua<string>("return vim.env.VIMRUNTIME");
    for (const base of [repository, runtime]) {
      const from = join(base, "lua", base === repository ? "codex-chat" : "vim");
      for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (entry.isFile() && extname(path) === ".lua")
          await this.file(relative(base, path), `return loadfile("${path}")(...)`);
      }
    }
    await this.file("lua/codex-chat/new.lua");
  }
}
