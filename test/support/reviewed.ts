/** A project with changes of the agent's in a real Neovim, with the test as the host that has recorded them. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type OpenChat, openChat } from "./chat.ts";
import type { NeovimOptions } from "./neovim.ts";
import type { ActionReply } from "./test-host.ts";

/** A changed file: what it held, and what it holds. */
export type Changed = {
  readonly before?: string | Buffer;
  readonly now?: string | Buffer;
  readonly old?: string;
  readonly change?: "renamed" | "mode";
  readonly ignored?: boolean;
  /** Whether its content is not on record. */
  readonly unknown?: boolean;
};

type Hunk = { readonly left: [number, number]; readonly right: [number, number] };

/** Everything that Lua asked about changes, without what only lists or reads. */
export type Asked = { readonly name: string; readonly params: Readonly<Record<string, unknown>> };

/** An open chat and the changes in its project. */
export class Reviewed implements AsyncDisposable {
  readonly chat: OpenChat;
  /** The decisions and comments that arrived, in order. */
  readonly asked: Asked[] = [];
  /** Refuses every action with this sentence. */
  refusal: string | undefined;
  /** What an undo could not put back. */
  conflicts: readonly unknown[] = [];
  comments: readonly unknown[] = [];
  readonly #files: Readonly<Record<string, Changed>>;
  readonly #dir: string;
  readonly #before = new Map<string, Buffer>();
  readonly #accepted: Map<string, Buffer | undefined>[] = [];
  readonly #rejected: Map<string, Buffer | undefined>[] = [];
  #count = 0;

  private constructor(chat: OpenChat, files: Readonly<Record<string, Changed>>, dir: string) {
    this.chat = chat;
    this.#files = files;
    this.#dir = dir;
  }

  /** Makes the files, opens a chat beside an empty window, and answers for the host. */
  static async open(
    options: NeovimOptions,
    files: Readonly<Record<string, Changed>>,
  ): Promise<Reviewed> {
    const chat = await openChat(options);
    const dir = await mkdtemp(join(chat.nvim.home, "before-"));
    const reviewed = new Reviewed(chat, files, dir);
    for (const [name, { before, now, old }] of Object.entries(files)) {
      const path = reviewed.path(name);
      await mkdir(dirname(path), { recursive: true });
      if (now !== undefined) await writeFile(path, now);
      if (before !== undefined)
        reviewed.#before.set(reviewed.path(old ?? name), Buffer.from(before));
    }
    chat.host.action = (name, params) => reviewed.#answer(name, params);
    await chat.nvim.command("stopinsert");
    await chat.nvim.command("wincmd p");
    return reviewed;
  }

  get nvim() {
    return this.chat.nvim;
  }

  /** A file's path. */
  path(name: string): string {
    return join(this.nvim.cwd, name);
  }

  /** What the checkpoint holds of a file. */
  before(name: string): string | undefined {
    return this.#before.get(this.path(name))?.toString("latin1");
  }

  /** What a file holds on disk. */
  now(name: string): string {
    return readFileSync(this.path(name), "latin1");
  }

  /** Runs `:CodexChat diff` and waits until a file is shown. */
  async diff(words = ""): Promise<void> {
    await this.nvim.lua("_G.review_before = require('codex-chat.review.state').current");
    await this.nvim.command(`CodexChat diff ${words}`);
    await this.nvim.until("require('codex-chat.review.state').current ~= _G.review_before");
    await this.settled();
  }

  /** Waits until the review shows a file and no decision is under way. */
  async settled(): Promise<void> {
    await this.nvim.until(
      `(function()
        local review = require("codex-chat.review.state").current
        return review ~= nil and #review.queue == 0 and review.shown == review.showing
      end)()`,
    );
  }

  /** Types keys, and waits until the review has settled. */
  async keys(keys: string): Promise<void> {
    await this.nvim.type(keys);
    await this.settled();
  }

  /** The names of the decisions that arrived. */
  get names(): readonly string[] {
    return this.asked.map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.chat[Symbol.asyncDispose]();
  }

  #answer(name: string, params: Readonly<Record<string, unknown>>): ActionReply {
    if (!["changes/list", "changes/file", "comments/list", "test/sync"].includes(name))
      this.asked.push({ name, params });
    if (this.refusal !== undefined) return { ok: false, message: this.refusal };
    switch (name) {
      case "changes/list":
        return ok(this.#list());
      case "changes/file":
        return ok(this.#file(String(params["path"])));
      case "changes/accept":
        return ok(this.#accept(params["files"] as { path: string; hunks?: Hunk[] }[]));
      case "changes/unaccept":
        return ok(this.#unaccept());
      case "changes/reject":
        return ok(this.#reject(params["paths"] as string[]));
      case "changes/redo":
        return ok(this.#redo());
      case "comments/list":
        return ok(this.comments);
      case "comments/set":
        this.comments = params["comments"] as unknown[];
        return ok(true);
      default:
        return { ok: false, message: `nothing answers ${name}` };
    }
  }

  #left() {
    return { left: String(this.#count).padStart(40, "0") };
  }

  #list() {
    const entries = Object.entries(this.#files).map(([name, file]) => ({
      name,
      file,
      path: this.path(name),
    }));
    return {
      title: "since “Do it.”",
      ...this.#left(),
      unknown: entries.filter(({ file }) => file.unknown).map(({ path }) => path),
      files: entries
        .filter(({ file }) => !file.unknown)
        .map(({ path, file: { before, now, old, change, ignored = false } }) => ({
          path,
          ...(old === undefined ? {} : { old: this.path(old) }),
          change:
            change ??
            (before === undefined ? "created" : now === undefined ? "deleted" : "changed"),
          ...([before, now].some((version) => version instanceof Buffer && version.includes(0)) ||
          change === "mode"
            ? {}
            : { added: lines(now), removed: lines(before) }),
          ignored,
        })),
    };
  }

  #file(path: string) {
    const bytes = this.#before.get(path);
    if (bytes === undefined) return {};
    const content = join(this.#dir, createHash("sha256").update(bytes).digest("hex"));
    // One that Lua may be reading is never written again.
    if (!existsSync(content)) writeFileSync(content, bytes);
    return { content };
  }

  #accept(files: readonly { readonly path: string; readonly hunks?: readonly Hunk[] }[]) {
    this.#accepted.push(new Map(files.map(({ path }) => [path, this.#before.get(path)])));
    for (const { path, hunks } of files) {
      const now = read(path);
      if (now === undefined) this.#before.delete(path);
      else if (hunks === undefined) this.#before.set(path, now);
      else this.#before.set(path, merged(this.#before.get(path) ?? Buffer.of(), now, hunks));
    }
    this.#count += 1;
    return this.#left();
  }

  #unaccept() {
    for (const [path, bytes] of this.#accepted.pop() ?? []) {
      if (bytes === undefined) this.#before.delete(path);
      else this.#before.set(path, bytes);
    }
    this.#count += 1;
    return this.#left();
  }

  #redo() {
    for (const [path, bytes] of this.#rejected.pop() ?? []) {
      if (bytes === undefined) rmSync(path, { force: true });
      else writeFileSync(path, bytes);
    }
    void this.chat.host.editor.call.buf_reload({ root: this.nvim.cwd });
    return undone([]);
  }

  #reject(paths: readonly string[]) {
    this.#rejected.push(new Map(paths.map((path) => [path, read(path)])));
    for (const path of paths) {
      const bytes = this.#before.get(path);
      if (bytes === undefined) rmSync(path, { force: true });
      else writeFileSync(path, bytes);
    }
    void this.chat.host.editor.call.buf_reload({ root: this.nvim.cwd });
    return undone(this.conflicts);
  }
}

function ok(value: unknown): ActionReply {
  return { ok: true, value };
}

function undone(conflicts: readonly unknown[]) {
  return { queries: ["“Do it.”"], files: [], conflicts, others: [] };
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function lines(text: string | Buffer | undefined): number {
  return split(Buffer.from(text ?? "")).length;
}

/** The lines of a text with their ends, byte for byte. */
function split(text: Buffer): string[] {
  return text.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function merged(left: Buffer, right: Buffer, hunks: readonly Hunk[]): Buffer {
  const [from, to] = [split(left), split(right)];
  for (const hunk of hunks.toReversed()) {
    const at = hunk.left[1] === 0 ? hunk.left[0] : hunk.left[0] - 1;
    const start = hunk.right[1] === 0 ? hunk.right[0] : hunk.right[0] - 1;
    from.splice(at, hunk.left[1], ...to.slice(start, start + hunk.right[1]));
  }
  return Buffer.from(from.join(""), "latin1");
}
