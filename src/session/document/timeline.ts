import { findSections, type PlacedSection } from "../../chat/format/index.ts";
import { withoutContext } from "../../chat/format/marks/index.ts";

/** A turn of the thread: the texts of each message that was sent from a prompt. */
export type ThreadTurn = {
  readonly id: string;
  /** A list of texts for each message: the query, and the texts that went along with it. */
  readonly messages: readonly (readonly string[])[];
};

/** A place in a conversation, as its thread knows it. */
export type Point = {
  /** How many rows of the document stand before it. */
  readonly keep: number;
  /** The query that begins there; empty after an answer. */
  readonly query: string;
  /** How many turns of the thread come before it; undefined if the thread does not know the place. */
  readonly turns: number | undefined;
  /** The sent query that the cursor is in: its rows, and the text that was sent. */
  readonly sent?: { readonly row: number; readonly end: number; readonly text: string | undefined };
};

/** A sent query: its section, its turn's index, and the text that was sent. */
type Placed = { readonly section: PlacedSection; turn?: number; text?: string };

/**
 * Finds the turn of each sent query. The document is the user's to edit, so queries are recognized by
 * their text, in order; between two that are recognized, as many as the thread has are taken one by
 * one, whatever their text has become.
 */
export function placeQueries(
  sections: readonly PlacedSection[],
  turns: readonly ThreadTurn[],
): Placed[] {
  const placed: Placed[] = sections.map((section) => ({ section }));
  const messages = turns.flatMap((turn, index) =>
    turn.messages.map((texts) => ({ turn: index, texts })),
  );
  const words = sections.map((section) => essence(withoutContext(section.text)));
  let at = 0;
  let open: { turn: number; texts: readonly string[] }[] = [];
  for (const message of messages) {
    const found = findRun(words, at, message.texts);
    if (found === undefined) {
      open.push(message);
      continue;
    }
    pair(placed.slice(at, found.from), open);
    open = [];
    for (const entry of placed.slice(found.from, found.to)) {
      entry.turn = message.turn;
      if (found.to - found.from === 1) entry.text = found.text;
    }
    at = found.to;
  }
  pair(placed.slice(at), open);
  return placed;
}

function pair(
  gap: readonly Placed[],
  messages: readonly { turn: number; texts: readonly string[] }[],
): void {
  if (gap.length !== messages.length) return;
  for (const [index, entry] of gap.entries()) {
    const message = messages[index];
    if (message === undefined) continue;
    entry.turn = message.turn;
    const [text] = message.texts;
    if (text !== undefined) entry.text = text;
  }
}

/** The first run of sections from `at` on that was sent together as one of `texts`. */
function findRun(
  words: readonly string[],
  at: number,
  texts: readonly string[],
): { from: number; to: number; text: string } | undefined {
  for (let from = at; from < words.length; from += 1) {
    for (const text of texts) {
      const wanted = essence(text);
      let to = from;
      let joined = "";
      while (to < words.length && joined.length < wanted.length) joined += words[to++];
      if (joined === wanted && to > from) return { from, to, text };
    }
  }
  return undefined;
}

/** A text without its escapes, indentation and line breaks, for comparing. */
function essence(text: string): string {
  const letters = text.replace(/[^\p{L}\p{N}]+/gu, "");
  return letters === "" ? text.trim() : letters;
}

/** The place at a row: before the query that the row is in, or after the answer. */
export function pointAt(
  lines: readonly string[],
  row: number,
  turns: readonly ThreadTurn[],
): Point {
  const sections = findSections(lines);
  const prompt = sections.at(-1)?.role === "user" ? sections.at(-1) : undefined;
  const queries = placeQueries(
    sections.filter((section) => section.role === "user" && section !== prompt),
    turns,
  );
  const end = prompt?.row ?? lines.length;
  const last = queries.findLastIndex((query) => query.section.row <= row);
  if (prompt !== undefined && row >= prompt.row)
    return { keep: end, query: prompt.text, turns: turns.length };
  const here = queries[last];
  // Above the first query there is nothing to continue.
  if (here === undefined) return { keep: queries[0]?.section.row ?? end, query: "", turns: 0 };
  if (row < here.section.end) {
    const first = queries.findIndex((query, index) => index === last || sameTurn(query, here));
    const query = queries.slice(first, last + 1).map((part) => withoutContext(part.section.text));
    const { row: from, end: to } = here.section;
    return {
      keep: queries[first]?.section.row ?? from,
      query: query.join("\n\n"),
      turns: here.turn,
      sent: { row: from, end: to, text: here.text },
    };
  }
  const next = queries.find((query, index) => index > last && !sameTurn(query, here));
  if (next === undefined) return { keep: end, query: "", turns: turns.length };
  return { keep: next.section.row, query: "", turns: next.turn };
}

/** The row after a row's query and its answer, and how many queries follow, by the text alone. */
export function textAfter(
  lines: readonly string[],
  row: number,
): { readonly keep: number; readonly turns: number } {
  const here = pointAt(lines, row, []);
  const { keep } = here.sent === undefined ? here : pointAt(lines, here.sent.end, []);
  const sections = findSections(lines);
  const prompt = sections.at(-1)?.role === "user" ? sections.at(-1) : undefined;
  const after = sections.filter(
    (section) => section.role === "user" && section !== prompt && section.row >= keep,
  );
  return { keep, turns: after.length };
}

function sameTurn(a: Placed, b: Placed): boolean {
  return a.turn !== undefined && a.turn === b.turn;
}
