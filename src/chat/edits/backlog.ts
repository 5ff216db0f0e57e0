import { endsInHalfPair } from "../control-characters.ts";
import type { Edit } from "./edits.ts";

/** A waiting edit, and the text that was appended to its block since. */
type Entry = { readonly n: number; edit: Edit; appended: string; isGone: boolean };

/** With fewer entries than this, compaction is not worth it. */
const minCompacted = 1024;

/**
 * Edits that wait for the editor, merged as they arrive: changes of a block's content are merged,
 * only the last of several marks remains, and a block that is added and removed disappears.
 *
 * Each edit is processed once when it arrives and once when it leaves, however many are waiting, so
 * the cost of a flood is proportional to its length.
 */
export class Backlog {
  #entries: Entry[] = [];
  /** The index of the first entry that has not left. */
  #first = 0;
  #gone = 0;
  #chars = 0;
  #next = 0;
  /** By block: the entry of its content, and the entry of its mark. */
  readonly #contents = new Map<string, Entry>();
  readonly #marks = new Map<string, Entry>();
  /** Blocks that other entries refer to. */
  readonly #pinned = new Set<string>();

  /** The number of waiting characters. */
  get chars(): number {
    return this.#chars;
  }

  get isEmpty(): boolean {
    return this.#entries.length - this.#first === this.#gone;
  }

  /** The number of the newest entry; once it has left, `oldest` is greater. */
  get latest(): number {
    return this.#next - 1;
  }

  /** The number of the oldest waiting entry; infinity if there is none. */
  get oldest(): number {
    this.#skipGone();
    return this.#entries[this.#first]?.n ?? Number.POSITIVE_INFINITY;
  }

  /** Adds an edit. */
  push(edit: Edit): void {
    switch (edit.op) {
      case "insert":
        this.#pinned.add(edit.after);
        this.#contents.set(edit.id, this.#add(edit));
        break;
      case "append":
      case "replace": {
        const before = this.#contents.get(edit.id);
        if (before === undefined) this.#contents.set(edit.id, this.#add(edit));
        else this.#merge(before, edit);
        break;
      }
      case "mark":
        this.#drop(this.#marks.get(edit.id));
        this.#marks.set(edit.id, this.#add(edit));
        break;
      case "fold":
        this.#pinned.add(edit.from);
        this.#pinned.add(edit.to);
        this.#add(edit);
        break;
      case "remove": {
        const made = this.#contents.get(edit.id);
        this.#drop(this.#marks.get(edit.id));
        if (made?.edit.op === "insert" && !this.#pinned.has(edit.id)) this.#drop(made);
        else this.#add(edit);
        this.#contents.delete(edit.id);
        this.#marks.delete(edit.id);
        break;
      }
      default:
        edit satisfies never;
    }
    this.#compact();
  }

  /**
   * Takes the oldest edits: at most `maxEdits`, with about `maxChars` characters, but always at
   * least one. A longer edit leaves in parts.
   */
  take(maxEdits: number, maxChars: number): Edit[] {
    const taken: Edit[] = [];
    let room = maxChars;
    for (let entry = this.#peek(); entry !== undefined; entry = this.#peek()) {
      const size = sizeOf(entry);
      if (taken.length >= maxEdits || (taken.length > 0 && size > room)) break;
      const edit = built(entry);
      const [part, rest] = size > room ? cut(edit, room) : [edit, ""];
      taken.push(part);
      room -= size;
      if (rest === "") {
        this.#leave(entry);
      } else {
        this.#chars -= size;
        entry.edit = { op: "append", id: part.op === "fold" ? "" : part.id, text: rest };
        entry.appended = "";
        this.#chars += sizeOf(entry);
      }
    }
    if (this.isEmpty) this.clear();
    return taken;
  }

  /** Drops all entries. */
  clear(): void {
    this.#entries = [];
    this.#first = 0;
    this.#gone = 0;
    this.#chars = 0;
    this.#contents.clear();
    this.#marks.clear();
    this.#pinned.clear();
  }

  #add(edit: Edit): Entry {
    const entry: Entry = { n: this.#next, edit, appended: "", isGone: false };
    this.#next += 1;
    this.#entries.push(entry);
    this.#chars += sizeOf(entry);
    return entry;
  }

  #merge(before: Entry, edit: Extract<Edit, { op: "append" | "replace" }>): void {
    if (edit.op === "append") {
      before.appended += edit.text;
      this.#chars += edit.text.length;
      return;
    }
    this.#chars -= sizeOf(before);
    before.edit = before.edit.op === "insert" ? { ...before.edit, lines: edit.lines } : edit;
    before.appended = "";
    this.#chars += sizeOf(before);
  }

  #drop(entry: Entry | undefined): void {
    if (entry === undefined || entry.isGone) return;
    entry.isGone = true;
    this.#gone += 1;
    this.#chars -= sizeOf(entry);
  }

  /** Removes the oldest entry. */
  #leave(entry: Entry): void {
    const { edit } = entry;
    this.#chars -= sizeOf(entry);
    this.#first += 1;
    if (edit.op === "fold") return;
    if (this.#contents.get(edit.id) === entry) this.#contents.delete(edit.id);
    if (this.#marks.get(edit.id) === entry) this.#marks.delete(edit.id);
  }

  #peek(): Entry | undefined {
    this.#skipGone();
    return this.#entries[this.#first];
  }

  #skipGone(): void {
    while (this.#entries[this.#first]?.isGone === true) {
      this.#first += 1;
      this.#gone -= 1;
    }
  }

  /** Frees the slots of entries that have left, once they are the majority. */
  #compact(): void {
    const dead = this.#first + this.#gone;
    if (dead < minCompacted || dead * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#first).filter((entry) => !entry.isGone);
    this.#first = 0;
    this.#gone = 0;
  }
}

function sizeOf({ edit, appended }: Entry): number {
  switch (edit.op) {
    case "append":
      return edit.text.length + appended.length;
    case "insert":
    case "replace":
      return edit.lines.reduce((sum, line) => sum + line.length + 1, appended.length);
    default:
      return 0;
  }
}

/** The merged edit of an entry. */
function built({ edit, appended }: Entry): Edit {
  if (appended === "") return edit;
  if (edit.op === "append") return { ...edit, text: edit.text + appended };
  if (edit.op !== "insert" && edit.op !== "replace") return edit;
  const [first = "", ...rest] = appended.split("\n");
  const last = `${edit.lines.at(-1) ?? ""}${first}`;
  return { ...edit, lines: [...edit.lines.slice(0, -1), last, ...rest] };
}

/** An edit with about the first `maxChars` of its text, and the rest, to be appended later. */
function cut(edit: Edit, maxChars: number): [part: Edit, rest: string] {
  if (edit.op !== "append" && edit.op !== "insert" && edit.op !== "replace") return [edit, ""];
  const text = edit.op === "append" ? edit.text : edit.lines.join("\n");
  if (text.length <= maxChars) return [edit, ""];
  const line = text.lastIndexOf("\n", maxChars);
  let at = line > maxChars / 2 ? line : maxChars;
  if (endsInHalfPair(text.slice(at - 1, at))) at += 1;
  const head = text.slice(0, at);
  const rest = text.slice(at);
  if (edit.op === "append") return [{ ...edit, text: head }, rest];
  return [{ ...edit, lines: head.split("\n") }, rest];
}
