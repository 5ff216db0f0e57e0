import { endsInHalfPair } from "../control-characters.ts";
import type { Edit } from "./edits.ts";

/** An edit that waits, and the text that came for its block's end since. */
type Entry = { readonly n: number; edit: Edit; appended: string; isGone: boolean };

/** Fewer entries than this are never tidied: walking over them costs nothing. */
const minTidied = 1024;

/**
 * Edits that wait for the editor, merged as they come: what follows on a block's content goes into
 * what came before, of several marks the last one counts, and a block that is made and removed is
 * never made.
 *
 * An edit is looked at when it comes and when it leaves, however many wait: a flood costs what it is
 * long, and no more.
 */
export class Backlog {
  #entries: Entry[] = [];
  /** Where the entries that have not left begin. */
  #first = 0;
  #gone = 0;
  #chars = 0;
  #next = 0;
  /** The one entry of a block's content, and that of its mark. */
  readonly #contents = new Map<string, Entry>();
  readonly #marks = new Map<string, Entry>();
  /** Blocks that other entries name. */
  readonly #pinned = new Set<string>();

  /** Characters that wait. */
  get chars(): number {
    return this.#chars;
  }

  get isEmpty(): boolean {
    return this.#entries.length - this.#first === this.#gone;
  }

  /** The number of the entry that came last; the oldest one that waits has a greater one once it has left. */
  get latest(): number {
    return this.#next - 1;
  }

  /** The number of the oldest entry that waits; infinite where none does. */
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
    this.#tidy();
  }

  /**
   * Takes the oldest edits: at most `maxEdits` of them with about `maxChars` characters, the first of
   * them in any case. One that is longer leaves in parts.
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

  /** Forgets all. */
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

  /** Lets the oldest entry go. */
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

  /** Gives back the room of what has left, once that is most of it. */
  #tidy(): void {
    const dead = this.#first + this.#gone;
    if (dead < minTidied || dead * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#first).filter((it) => !it.isGone);
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

/** The one edit that an entry has become. */
function built({ edit, appended }: Entry): Edit {
  if (appended === "") return edit;
  if (edit.op === "append") return { ...edit, text: edit.text + appended };
  if (edit.op !== "insert" && edit.op !== "replace") return edit;
  const [first = "", ...rest] = appended.split("\n");
  const last = `${edit.lines.at(-1) ?? ""}${first}`;
  return { ...edit, lines: [...edit.lines.slice(0, -1), last, ...rest] };
}

/** An edit with the first `maxChars` or so of its text, and what is to be appended after it. */
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
