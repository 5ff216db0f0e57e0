import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { AllowList } from "../../egress/network/index.ts";
import type { Log } from "../../log.ts";

/** Conversations whose permissions are kept; those of the oldest are forgotten first. */
const MAX_CONVERSATIONS = 200;
/** Entries of a project or a conversation. */
const MAX_ENTRIES = 500;
const MAX_FILE_BYTES = 4 * 1024 ** 2;

const Entries = z
  .array(z.string().refine((text) => AllowList.parse([text]).ok))
  .max(MAX_ENTRIES)
  .catch([]);
const Saved = z.object({
  project: Entries,
  /** By the thread's id, in the order in which they were made. */
  conversations: z.array(z.object({ thread: z.string(), allow: Entries })).catch([]),
});

/** What a permission holds for. */
export type GrantScope = "project" | "conversation";

/** A permission that holds, and in which conversation where it is of one. */
type Found =
  | { readonly by: "project"; readonly ends: AbortSignal }
  | { readonly by: "conversation"; readonly thread: string; readonly ends: AbortSignal };

type Grant = { readonly entry: string; readonly ends: AbortController };

/**
 * The hosts that the user has allowed in answer to questions: for the project and for single
 * conversations, kept in a file of the project's state directory that nobody else reads.
 */
export class Grants {
  readonly #path: string;
  readonly #log: Log;
  #project: Grant[] = [];
  #conversations = new Map<string, Grant[]>();
  /** What the file was when it was read or written last. */
  #version = "";
  #writing: Promise<void> = Promise.resolve();
  #loaded: Promise<void> = Promise.resolve();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * Reads the file where it is another than before, as by a second Neovim on the project. What is
   * not in it any more ends. One that cannot be read allows nothing.
   *
   * One after the other: who asks while the file is being read must not go by what stood there before.
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

  /** The permission for this entry in one of these conversations or the project; after `load`. */
  find(entry: string, threads: Iterable<string>): Found | undefined {
    const ofProject = this.#project.find((grant) => grant.entry === entry);
    if (ofProject !== undefined) return { by: "project", ends: ofProject.ends.signal };
    for (const thread of threads) {
      const found = this.#conversations.get(thread)?.find((grant) => grant.entry === entry);
      if (found !== undefined) return { by: "conversation", thread, ends: found.ends.signal };
    }
    return undefined;
  }

  /** Keeps a permission; gives the signal that ends it. */
  async add(scope: GrantScope, thread: string, entry: string): Promise<AbortSignal> {
    // The user may have taken minutes for the answer.
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

  /** The entries of the project, or of a conversation. */
  entries(scope: GrantScope, thread = ""): readonly string[] {
    return this.#list(scope, thread).map(({ entry }) => entry);
  }

  /** Takes an entry back in the project and this conversation, and ends its connections. */
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
   * Takes back all that a thread has, because it begins.
   *
   * SECURITY: what a thread is called is Codex's word, and a program inside can forge it: a new
   * conversation could take over what another one was allowed.
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
      if (text.length > MAX_FILE_BYTES) throw new Error("it is too large");
      return Saved.parse(JSON.parse(text));
    } catch (thrown) {
      this.#log.warn({ err: thrown, path: this.#path }, "the allowed hosts cannot be read");
      return undefined;
    }
  }

  /** Permissions that stay are the same ones, so that their connections do. */
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

/** Tells one state of a file from the next; empty where there is none. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch {
    return "";
  }
}
