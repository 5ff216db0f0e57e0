import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { AllowList } from "../../egress/network/index.ts";
import type { Log } from "../../log.ts";

/** How many conversations' permissions are kept; the oldest are dropped first. */
const MAX_CONVERSATIONS = 200;
/** The most entries of a project or a conversation. */
const MAX_ENTRIES = 500;
const MAX_FILE_CHARS = 4 * 1024 ** 2;

const Entries = z
  .array(z.string().refine((text) => AllowList.parse([text]).ok))
  .max(MAX_ENTRIES)
  .catch([]);
const Saved = z.object({
  project: Entries,
  /** In the order in which they were created. */
  conversations: z.array(z.object({ thread: z.string(), allow: Entries })).catch([]),
});

/** The scope of a permission. */
export type GrantScope = "project" | "conversation";

/** A valid permission, and its conversation if it has one. */
type Found =
  | { readonly by: "project"; readonly ends: AbortSignal }
  | { readonly by: "conversation"; readonly thread: string; readonly ends: AbortSignal };

type Grant = { readonly entry: string; readonly ends: AbortController };

/**
 * The hosts that the user has allowed when asked, for the project or for single conversations. They
 * are saved in a private file in the project's state directory.
 */
export class Grants {
  readonly #path: string;
  readonly #log: Log;
  #project: Grant[] = [];
  #conversations = new Map<string, Grant[]>();
  /** The file's version when it was last read or written. */
  #version = "";
  #writing: Promise<void> = Promise.resolve();
  #loaded: Promise<void> = Promise.resolve();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * Reads the file if it has changed, for example by a second Neovim on the project. Permissions
   * that are no longer in it end. A file that cannot be read allows nothing.
   *
   * Calls are serialized: a caller must not act on the old content while the file is being read.
   */
  load(): Promise<void> {
    const loaded = this.#loaded.then(() => this.#load());
    this.#loaded = loaded.catch(() => {});
    return loaded;
  }

  async #load(): Promise<void> {
    await this.#writing;
    const version = await versionOf(this.#path);
    if (version === this.#version) return;
    this.#version = version;
    const saved = version === "" ? undefined : await this.#read();
    this.#take(saved ?? { project: [], conversations: [] });
  }

  /**
   * The permission for this entry, in the project or one of these conversations; call `load` first.
   */
  find(entry: string, threads: Iterable<string>): Found | undefined {
    const ofProject = this.#project.find((grant) => grant.entry === entry);
    if (ofProject !== undefined) return { by: "project", ends: ofProject.ends.signal };
    for (const thread of threads) {
      const found = this.#conversations.get(thread)?.find((grant) => grant.entry === entry);
      if (found !== undefined) return { by: "conversation", thread, ends: found.ends.signal };
    }
    return undefined;
  }

  /** Saves a permission; returns the signal that ends it. */
  async add(scope: GrantScope, thread: string, entry: string): Promise<AbortSignal> {
    // The user may have taken minutes to answer.
    await this.load();
    const known = this.find(entry, scope === "project" ? [] : [thread]);
    if (known?.by === scope) return known.ends;
    const grant = { entry, ends: new AbortController() };
    const list = [...this.#list(scope, thread), grant].slice(-MAX_ENTRIES);
    if (scope === "project") this.#project = list;
    else {
      this.#conversations.delete(thread);
      this.#conversations.set(thread, list);
      const [oldest] = this.#conversations.keys();
      if (this.#conversations.size > MAX_CONVERSATIONS && oldest !== undefined)
        this.#conversations.delete(oldest);
    }
    this.#write();
    return grant.ends.signal;
  }

  /** The entries of the project or of a conversation. */
  entries(scope: GrantScope, thread = ""): readonly string[] {
    return this.#list(scope, thread).map(({ entry }) => entry);
  }

  /** Revokes an entry in the project and this conversation, and ends its connections. */
  async forget(entry: string, thread: string): Promise<boolean> {
    await this.load();
    const gone = [...this.#project, ...(this.#conversations.get(thread) ?? [])].filter(
      (grant) => grant.entry === entry,
    );
    this.#project = this.#project.filter((grant) => grant.entry !== entry);
    const left = this.#list("conversation", thread).filter((grant) => grant.entry !== entry);
    if (left.length === 0) this.#conversations.delete(thread);
    else this.#conversations.set(thread, left);
    for (const { ends } of gone) ends.abort();
    if (gone.length > 0) this.#write();
    await this.#writing;
    return gone.length > 0;
  }

  /**
   * Revokes all permissions of a thread, because it is new.
   *
   * SECURITY: a thread's id comes from Codex, and a program inside can forge it; a new conversation
   * could otherwise take over the permissions of another.
   */
  async begin(thread: string): Promise<void> {
    await this.load();
    const gone = this.#conversations.get(thread) ?? [];
    if (gone.length === 0) return;
    this.#conversations.delete(thread);
    for (const { ends } of gone) ends.abort();
    this.#write();
    await this.#writing;
  }

  #list(scope: GrantScope, thread: string): readonly Grant[] {
    return scope === "project" ? this.#project : (this.#conversations.get(thread) ?? []);
  }

  async #read(): Promise<z.infer<typeof Saved> | undefined> {
    try {
      const text = await readFile(this.#path, "utf8");
      if (text.length > MAX_FILE_CHARS) throw new Error("it is too large");
      return Saved.parse(JSON.parse(text));
    } catch (thrown) {
      this.#log.warn({ err: thrown, path: this.#path }, "the allowed hosts cannot be read");
      return undefined;
    }
  }

  /** Replaces all permissions. Those that remain keep their signals, and so their connections. */
  #take({ project, conversations }: z.infer<typeof Saved>): void {
    const before = [this.#project, ...this.#conversations.values()].flat();
    const kept = (entries: readonly string[], known: readonly Grant[] = []) =>
      entries.map(
        (entry) =>
          known.find((grant) => grant.entry === entry) ?? { entry, ends: new AbortController() },
      );
    this.#project = kept(project, this.#project);
    this.#conversations = new Map(
      conversations.map(({ thread, allow }) => [
        thread,
        kept(allow, this.#conversations.get(thread)),
      ]),
    );
    const now = new Set([this.#project, ...this.#conversations.values()].flat());
    for (const grant of before) if (!now.has(grant)) grant.ends.abort();
  }

  #write(): void {
    const text = JSON.stringify({
      project: this.entries("project"),
      conversations: [...this.#conversations.keys()].map((thread) => ({
        thread,
        allow: this.entries("conversation", thread),
      })),
    });
    this.#writing = this.#writing
      .then(async () => {
        await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
        await writePrivate(this.#path, `${text}\n`);
        this.#version = await versionOf(this.#path);
      })
      .catch((thrown: unknown) => {
        this.#log.error({ err: thrown, path: this.#path }, "the allowed hosts were not saved");
      });
  }
}

/** A version string for the file; empty if it does not exist. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch {
    return "";
  }
}
