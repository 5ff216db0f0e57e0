/** Counts what one query of the user has added to the text, and what was left out. */
import type { Edit } from "./edits/index.ts";
import { countOf } from "./fences.ts";
import { maxTurnBlocks, maxTurnChars, maxTurnLines, shareOf } from "./limits.ts";

/** Counts since the user's last query; Codex cannot reset them. */
export type Spent = {
  readonly blocks: number;
  readonly lines: number;
  /** Characters of all edits, including those that replace others. */
  readonly chars: number;
  readonly notes: number;
  /** Questions to the user. */
  readonly asked: number;
  readonly omitted: Omitted;
  /** The block of the note that something was left out. */
  readonly noteBlock: string | undefined;
};

/** How much was left out. */
export type Omitted = {
  readonly steps: number;
  readonly notes: number;
  readonly questions: number;
  readonly chars: number;
};

/** All counts at zero. */
export const nothingSpent: Spent = {
  blocks: 0,
  lines: 0,
  chars: 0,
  notes: 0,
  asked: 0,
  omitted: { steps: 0, notes: 0, questions: 0, chars: 0 },
  noteBlock: undefined,
};

/** The id that stands for every block that was left out because the turn had no room for it. */
export const omittedBlock = "left-out";

/** Whether a turn has room for more of this rank. */
export function hasRoom(spent: Spent, rank: keyof typeof shareOf): boolean {
  const share = shareOf[rank];
  return (
    spent.blocks < maxTurnBlocks * share &&
    spent.chars < maxTurnChars * share &&
    spent.lines < maxTurnLines * share
  );
}

/** The counts with more left out. */
export function addOmitted(spent: Spent, more: Partial<Omitted>): Spent {
  const { steps = 0, notes = 0, questions = 0, chars = 0 } = more;
  const { omitted } = spent;
  return {
    ...spent,
    omitted: {
      steps: omitted.steps + steps,
      notes: omitted.notes + notes,
      questions: omitted.questions + questions,
      chars: omitted.chars + chars,
    },
  };
}

/** Whether the text has a note that something was left out. */
export function hasNote(spent: Spent): boolean {
  return spent.noteBlock !== undefined;
}

/** A sentence about what was left out; undefined if nothing was. */
export function omittedText({ steps, notes, questions, chars }: Omitted): string | undefined {
  const parts = [
    ...(steps > 0 ? [countOf(steps, "more step")] : []),
    ...(notes > 0 ? [countOf(notes, "more note")] : []),
    ...(questions > 0 ? [countOf(questions, "declined question")] : []),
    ...(chars > 0 ? [countOf(chars, "more character")] : []),
  ];
  if (parts.length === 0) return undefined;
  const last = parts.pop() ?? "";
  const all = parts.length === 0 ? last : `${parts.join(", ")} and ${last}`;
  return `${all} left out: this turn is too long to be shown in full.`;
}

/**
 * Drops the edits of blocks that were left out; returns the other edits, the counts with these, and
 * how many characters were lost. `before` are the counts before the event: all of its edits are
 * judged by these, so that no fence is left open.
 */
export function charge(
  edits: readonly Edit[],
  before: Spent,
  now: Spent,
): { edits: Edit[]; charged: Spent; lost: number } {
  let { blocks, lines, chars } = now;
  let lost = 0;
  const grows = hasRoom(before, "asks");
  const changes = hasRoom(before, "end");
  const kept = edits.filter((edit) => {
    if (edit.op === "fold") return edit.from !== omittedBlock && edit.to !== omittedBlock;
    if (edit.id === omittedBlock) return false;
    if (edit.op === "mark" || edit.op === "remove") return true;
    const size = sizeOf(edit);
    const isMade =
      edit.op === "insert" || edit.id === now.noteBlock || (edit.op === "append" ? grows : changes);
    if (!isMade) {
      lost += size.chars;
      return false;
    }
    if (edit.op === "insert") blocks += 1;
    lines += size.lines;
    chars += size.chars;
    return true;
  });
  return { edits: kept, charged: { ...now, blocks, lines, chars }, lost };
}

function sizeOf(edit: Extract<Edit, { op: "insert" | "append" | "replace" }>): {
  lines: number;
  chars: number;
} {
  if (edit.op !== "append")
    return {
      lines: edit.lines.length,
      chars: edit.lines.reduce((sum, line) => sum + line.length + 1, 0),
    };
  let lines = 0;
  for (let at = edit.text.indexOf("\n"); at !== -1; at = edit.text.indexOf("\n", at + 1))
    lines += 1;
  return { lines, chars: edit.text.length };
}
