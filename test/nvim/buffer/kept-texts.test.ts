/**
 * Random sequences of what happens to a conversation's file, with the real host. Whatever they are,
 * every text that was ever in the file, or was typed for longer than a write is delayed, stands on
 * disk: in the file, or in a copy that is kept. Only what another program itself wrote over is gone.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Neovim, type NeovimProgram, neovims, startNeovim } from "../../support/neovim.ts";

const WAIT = { timeout: 15_000, interval: 20 };
const THREAD = "0199a1b2-0000-7000-8000-000000000002";

const actions = [
  "type",
  "type and delete",
  "delete all",
  "undo",
  "write",
  "edit",
  "change outside",
  "change outside and type",
  "replace outside",
  "remove outside and type",
  "session",
  "reopen",
  "crash",
] as const;
type Action = (typeof actions)[number];

/** A place with one conversation, the editors that have it one after another, and what must be kept. */
class Stage implements AsyncDisposable {
  readonly #kept = new Set<string>();
  #count = 0;
  #nvim: Neovim | undefined;
  readonly #program: NeovimProgram;
  readonly #base: string;
  readonly #path: string;

  private constructor(program: NeovimProgram, base: string) {
    this.#program = program;
    this.#base = base;
    this.#path = join(base, "project", "notes", "2026-01-02-chat.md");
  }

  static async make(program: NeovimProgram): Promise<Stage> {
    const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-kept-")));
    const stage = new Stage(program, base);
    await mkdir(join(base, "project", ".git"), { recursive: true });
    await mkdir(join(base, "project", "notes"));
    await writeFile(stage.#path, stage.#conversation(stage.#word()));
    await stage.#open([]);
    return stage;
  }

  async run(action: Action): Promise<void> {
    const nvim = this.#editor;
    switch (action) {
      case "type":
        return this.#type();
      case "type and delete":
        await this.#type();
        return this.run("delete all");
      case "delete all":
        return nvim.type('<Esc>gg"_dG');
      case "undo":
        return nvim.type("<Esc>u");
      case "write":
        return nvim.command("write");
      case "edit":
        return nvim.command("edit!");
      case "change outside":
        return writeFile(this.#path, await this.#changed());
      case "change outside and type": {
        const line = this.#word();
        await nvim.lua(
          `local path, text, line = ...
           local file = assert(io.open(path, "w")); file:write(text); file:close()
           vim.api.nvim_buf_set_lines(0, -1, -1, false, { line })`,
          this.#path,
          await this.#changed(),
          line,
        );
        return this.#saved(line);
      }
      case "replace outside": {
        const before = await this.#text();
        for (const word of this.#kept) if (before.includes(word)) this.#kept.delete(word);
        return writeFile(this.#path, this.#conversation(this.#word()));
      }
      case "remove outside and type": {
        const before = await this.#text();
        for (const word of this.#kept) if (before.includes(word)) this.#kept.delete(word);
        await rm(this.#path, { force: true });
        return this.#type();
      }
      case "session":
        await nvim.command(`mksession! ${join(this.#base, "s.vim")}`);
        await this.#leave();
        return this.#open(["-S", join(this.#base, "s.vim")]);
      case "reopen":
        await this.#leave();
        return this.#open([]);
      case "crash": {
        const host = await this.#host();
        process.kill(nvim.pid, "SIGKILL");
        await nvim.exited;
        await gone(host);
        return this.#open([]);
      }
      default:
        action satisfies never;
    }
  }

  /** What must stand on disk and does not. */
  async missing(): Promise<string[]> {
    await this.#leave();
    const copies = join(this.#path, "..", "copies");
    const names = await readdir(copies).catch(() => []);
    const texts = await Promise.all(names.map((name) => readFile(join(copies, name), "utf8")));
    const text = await this.#text();
    const all = [text, ...texts].join("\n");
    const lost = [...this.#kept]
      .filter((kept) => !all.includes(kept))
      .map((kept) => kept.slice(0, 10));
    if (text === "") return lost;
    const known = [`thread: ${THREAD}`, `project: ${join(this.#base, "project")}`];
    return [...lost, ...known.filter((line) => !text.split("\n").includes(line))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#nvim !== undefined) await this.#leave();
    await rm(this.#base, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  get #editor(): Neovim {
    if (this.#nvim === undefined) throw new Error("no Neovim runs");
    return this.#nvim;
  }

  /** A text that stands nowhere else, and is long enough to count. */
  #word(): string {
    this.#count += 1;
    const word = `word${String(this.#count).padStart(3, "0")} ${"lorem ".repeat(100)}end`;
    this.#kept.add(word);
    return word;
  }

  #conversation(answer: string): string {
    const head = ["---", "codex-chat: 1", `thread: ${THREAD}`];
    const body = ["## You", "", "A question.", "", "## Codex", "", answer, "", "## You", ""];
    return `${[...head, `project: ${join(this.#base, "project")}`, "---", "", ...body].join("\n")}\n`;
  }

  /** The file's text with another program's words added; a new conversation where there is none. */
  async #changed(): Promise<string> {
    const text = await this.#text();
    return text === "" ? this.#conversation(this.#word()) : `${text}\n${this.#word()}\n`;
  }

  async #text(): Promise<string> {
    return readFile(this.#path, "utf8").catch(() => "");
  }

  async #type(): Promise<void> {
    const word = this.#word();
    await this.#editor.type(`<Esc>Go${word}<Esc>`);
    await this.#saved(word);
  }

  async #saved(word: string): Promise<void> {
    await expect.poll(() => this.#text(), WAIT).toContain(word);
  }

  async #open(args: readonly string[]): Promise<void> {
    this.#nvim = await startNeovim({
      program: this.#program,
      home: join(this.#base, "home"),
      cwd: join(this.#base, "project"),
      config: { history_dir: "notes", node: process.execPath },
      args,
    });
    await this.#editor.command("CodexChat");
    await this.#editor.until("vim.api.nvim_buf_get_name(0)", this.#path);
    await this.#editor.until("require('codex-chat.registry').get(0).host", "attached");
  }

  #host(): Promise<number> {
    return this.#editor.lua<number>("return require('codex-chat.host').pid()");
  }

  async #leave(): Promise<void> {
    const host = await this.#host();
    void this.#editor.request("nvim_command", "qall!").catch(() => {});
    await this.#editor.exited;
    this.#nvim = undefined;
    await gone(host);
  }
}

async function gone(pid: number): Promise<void> {
  await expect.poll(() => existsSync(`/proc/${pid}`), WAIT).toBe(false);
}

describe.each(neovims)("the texts of a conversation on Neovim $name", (program) => {
  async function lost(list: readonly Action[]): Promise<string[]> {
    await using stage = await Stage.make(program);
    for (const action of list) await stage.run(action);
    return stage.missing();
  }

  it.each<[Action[]]>([
    [["delete all", "session", "type"]],
    [["edit", "change outside and type"]],
    [["type", "delete all", "crash", "undo", "type"]],
    [["change outside and type", "change outside and type", "edit", "reopen"]],
    [["remove outside and type", "replace outside", "session"]],
  ])("are all kept after: %s", async (list) => {
    expect(await lost(list)).toEqual([]);
  });

  it("are all kept, after any events in any order", { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...actions), { minLength: 4, maxLength: 8 }),
        async (list) => {
          expect(await lost(list)).toEqual([]);
        },
      ),
      { seed: 20260102, numRuns: 3, endOnFailure: true },
    );
  });
});
