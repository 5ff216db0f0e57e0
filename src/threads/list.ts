import { basename } from "node:path";
import { holderOf, lockPath } from "../chat/file/index.ts";
import { type ChatHead, cleanName, readHead } from "../chat/format/head/index.ts";
import { codeOf } from "../error-code.ts";
import { resolvedOrSame } from "../paths.ts";
import { type ListedFile, listFiles } from "./listing.ts";
import { messageOf } from "./messages.ts";
import { Pace } from "./pace.ts";
import { archiveOf, Owners, type Place, placesOf, type Where } from "./places.ts";
import { Reader } from "./reading.ts";

/** A conversation that is open in the editor: its text may be ahead of its file. */
export type OpenChat = { readonly path: string; readonly head: string };

/** A conversation as a list shows it. */
export type ThreadSummary = {
  readonly path: string;
  /** The project's directory; absent where it is not known. */
  readonly root?: string;
  readonly thread?: string;
  /** The user's name for it, else its first query, else the file's name. */
  readonly name: string;
  readonly archived: boolean;
  /** Its line in a menu. */
  readonly label: string;
};

/** Which conversations are listed. */
export type ListOptions = {
  readonly where: Where;
  /** Those in the archive instead of those outside. */
  readonly archived: boolean;
  readonly open: readonly OpenChat[];
  readonly signal: AbortSignal;
};

/** How many entries travel at a time: decoding one page costs the editor a few milliseconds. */
const PAGE = 500;

/** The kernel's clock goes in steps: a second change within one has the same time, in ms. */
const TICK_MS = 50;

type Read = { readonly head: ChatHead; readonly isCut: boolean; readonly problem?: string };

/** A conversation that was found. */
type Found = {
  readonly file: ListedFile;
  readonly read: Read;
  readonly root: string | undefined;
};

const NO_HEAD: ChatHead = { query: "", turns: 0 };

/** Reads conversations for lists, and remembers the heads of files that have not changed since. */
export class ThreadList {
  readonly #heads = new Map<string, Read & { readonly ctimeMs: number; readonly size: number }>();
  readonly #now: () => number;

  /** `now` stands in for the clock in tests. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The conversations in pages, the one written last first; returns what could not be listed. */
  async *pages(options: ListOptions): AsyncGenerator<readonly ThreadSummary[], readonly string[]> {
    const { where, signal } = options;
    const pace = new Pace();
    const places = placesFor(where, options.archived);
    const { files, problems } = await listFiles(places, where.stateDir, pace);
    const labels = new Labels(options);
    for await (const some of this.#own(files, where, pace, signal)) {
      const page: ThreadSummary[] = [];
      for (const found of some) {
        if (pace.isDue) await pace.rest();
        const { file } = found;
        page.push(labels.summary(found, file.hasLock && (await labels.isElsewhere(file))));
      }
      yield page;
    }
    return problems;
  }

  /** The files of the conversations in and outside of archives, the one written last first. */
  async files(where: Where, signal: AbortSignal): Promise<Awaited<ReturnType<typeof listFiles>>> {
    const pace = new Pace();
    const places = placesOf(where);
    const all = [...places, ...places.map(archiveOf)];
    const listing = await listFiles(all, where.stateDir, pace);
    if (where.all || !places.some((place) => place.isShared === true)) return listing;
    // Only the front matter tells which of them are this project's.
    const files: ListedFile[] = [];
    for await (const some of this.#own(listing.files, where, pace, signal))
      files.push(...some.map(({ file }) => file));
    return { ...listing, files };
  }

  /** Forgets the head of a file. */
  forget(path: string): void {
    this.#heads.delete(path);
  }

  /** Those of the project that is asked for, a page at a time. */
  async *#own(
    files: readonly ListedFile[],
    where: Where,
    pace: Pace,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Found[]> {
    const owners = new Owners(where.stateDir);
    using reader = new Reader(where.stateDir);
    let some: Found[] = [];
    for (const file of files) {
      if (pace.isDue) await pace.rest();
      if (signal.aborted) return;
      const read = this.#read(reader, file);
      const root = owners.of(file.place, read.head.project);
      const isOwn =
        where.all || file.place.isShared !== true || (root ?? where.root) === where.root;
      if (isOwn) some.push({ file, read, root });
      if (some.length < PAGE) continue;
      yield some;
      some = [];
    }
    if (some.length > 0) yield some;
  }

  #read(reader: Reader, file: ListedFile): Read {
    const { path, ctimeMs, size } = file;
    const known = this.#heads.get(path);
    if (known?.ctimeMs === ctimeMs && known.size === size) return known;
    // Before it is read, so that a change meanwhile counts as recent.
    const isRecent = this.#now() - ctimeMs < TICK_MS;
    const read = { ...readNow(reader, file), ctimeMs, size };
    if (isRecent) this.#heads.delete(path);
    else this.#heads.set(path, read);
    return read;
  }
}

function readNow(reader: Reader, file: ListedFile): Read {
  try {
    const { bytes, isCut } = reader.read(file);
    return { head: readHead(bytes.toString("utf8")), isCut };
  } catch (cause) {
    const problem = codeOf(cause) === "ENOENT" ? "gone" : messageOf(cause, file.path);
    return { head: NO_HEAD, isCut: false, problem };
  }
}

function placesFor(where: Where, archived: boolean): readonly Place[] {
  const places = placesOf(where);
  return archived ? places.map(archiveOf) : places;
}

/** The name by which a conversation is known. */
export function nameOf(head: Pick<ChatHead, "name" | "query">, path: string): string {
  const name = head.name === undefined ? "" : cleanName(head.name);
  return name || head.query || cleanName(basename(path).replace(/\.md$/, ""));
}

/** Writes the lines of a menu. */
class Labels {
  readonly #options: ListOptions;
  readonly #now = Date.now();
  readonly #open = new Map<string, ChatHead>();

  constructor(options: ListOptions) {
    this.#options = options;
    for (const { path, head } of options.open) {
      const read = readHead(head);
      this.#open.set(path, read);
      this.#open.set(resolvedOrSame(path), read);
    }
  }

  summary({ file, read, root }: Found, isElsewhere: boolean): ThreadSummary {
    const { head, isCut, problem } = read;
    const { path, place } = file;
    const open = this.#open.get(path);
    const said = open === undefined ? head : { ...open, turns: head.turns };
    const name = nameOf(said, path);
    const parts: string[] = [];
    if (this.#options.where.all)
      parts.push(root === undefined ? "project unknown" : cleanName(basename(root)));
    parts.push(age((this.#now - file.mtimeMs) / 1000));
    parts.push(problem === undefined ? turnsOf(said.turns, isCut) : "cannot be read");
    if (said.query !== "" && said.query !== name) parts.push(said.query);
    if (place.isArchive) parts.push("archived");
    if (open !== undefined) parts.push("open here");
    else if (isElsewhere) parts.push("open in another Neovim");
    return {
      path,
      ...(root === undefined ? {} : { root }),
      ...(said.thread === undefined ? {} : { thread: said.thread }),
      name,
      archived: place.isArchive,
      label: `${name}  (${parts.join(" · ")})`,
    };
  }

  /** Whether another Neovim has it. */
  async isElsewhere({ path }: ListedFile): Promise<boolean> {
    return (await holderOf(lockPath(path, this.#options.where.stateDir))) === "other";
  }
}

function turnsOf(turns: number, isCut: boolean): string {
  return `${isCut ? "over " : ""}${turns} turn${turns === 1 && !isCut ? "" : "s"}`;
}

/** How long ago, in a word or two. */
function age(seconds: number): string {
  const units = [
    [86_400 * 365, "y"],
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ] as const;
  for (const [length, unit] of units)
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return "now";
}
