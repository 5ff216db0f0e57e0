import { withoutContext } from "./marks/index.ts";
import { readTranscript } from "./transcript.ts";

/** The query at the end of a conversation that has no answer. */
export type Unanswered = {
  /** As it was typed; several that were sent together are one. */
  readonly text: string;
  /** How many sections it is made of. */
  readonly sections: number;
  /** Whether something went along with it, which the file does not hold. */
  readonly hadContext: boolean;
  /** What stands below it: nothing, notes, or an error, perhaps under a part of an answer. */
  readonly how: "silent" | "noted" | "failed";
  /** Whether a part of an answer stands there. */
  readonly isPartial: boolean;
};

/**
 * Finds the query that is still to be answered, by the text alone; undefined where there is none. An
 * answer that ends in an error, or was cut off with the host, counts as none.
 */
export function unansweredQuery(text: string): Unanswered | undefined {
  const { sections } = readTranscript(text);
  const queries: string[] = [];
  let how: Unanswered["how"] = "silent";
  let isPartial = false;
  for (const { role, text: words } of sections.toReversed()) {
    if (role === "user") {
      queries.unshift(words);
      continue;
    }
    // Above a part of an answer stands only what it answers.
    if (isPartial && queries.length > 0) break;
    const { hasWords, kinds, isCut } = endOf(words);
    if (hasWords && (queries.length > 0 || isPartial || !(kinds.has("Error") || isCut))) break;
    isPartial ||= hasWords;
    if (queries.length > 0) continue;
    if (kinds.has("Error")) how = "failed";
    else if (kinds.has("Note") && how === "silent") how = "noted";
  }
  if (queries.length === 0) return undefined;
  const typed = queries.map(withoutContext);
  return {
    text: typed.join("\n\n"),
    sections: queries.length,
    hadContext: queries.some((query, n) => query !== typed[n]),
    how,
    isPartial,
  };
}

/** How a note ends that says that the answer above it was cut off with the host or the editor. */
export const CUT_OFF = "before this turn was over.";

/** Whether the last section of a conversation is an answer, be it empty. */
export function endsInAnswer(text: string): boolean {
  return readTranscript(text).sections.at(-1)?.role === "codex";
}

/** Whether a section of Codex's says anything beside notes and errors. */
export function isAnswer(text: string): boolean {
  return endOf(text).hasWords;
}

/** The kinds of notices that end a section, and whether anything else stands in it. */
function endOf(text: string): { hasWords: boolean; kinds: ReadonlySet<string>; isCut: boolean } {
  const kinds = new Set<string>();
  let isCut = false;
  let end = text.trimEnd();
  while (end !== "") {
    // A notice is one quotation; the paragraph above it is another.
    const from = end.lastIndexOf("\n\n");
    const paragraph = end.slice(from === -1 ? 0 : from + 2);
    const kind = /^> \*\*(Error|Note):\*\* [^\n]*(?:\n>[^\n]*)*$/.exec(paragraph)?.[1];
    if (kind === undefined) return { hasWords: true, kinds, isCut };
    isCut ||= kind === "Note" && paragraph.includes(` ${CUT_OFF}`);
    kinds.add(kind);
    end = from === -1 ? "" : end.slice(0, from).trimEnd();
  }
  return { hasWords: false, kinds, isCut };
}
