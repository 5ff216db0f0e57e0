import type { NotAsked, Question } from "../event.ts";
import { countOf } from "../fences.ts";
import { maxAskedChars, maxTurnAsked } from "../limits.ts";
import { hasRoom, omittedBlock } from "../spent.ts";
import type { ChatState, FileChange } from "../state.ts";

/**
 * Why a question is declined without asking the user; undefined if the user is asked. `why`
 * completes "a question was declined: ".
 *
 * SECURITY: the user must see everything that is asked for. A question that cannot be shown in full
 * is declined, and so are questions beyond a number that anyone would read.
 */
export function whyNotAsked(state: ChatState, question: Question): NotAsked | undefined {
  if (state.spent.asked >= maxTurnAsked || !hasRoom(state.spent, "asks")) return { kind: "many" };
  const chars = sizeOf(state, question);
  if (chars > maxAskedChars) {
    const why = `it has ${countOf(chars, "character")}, more than a question may show.`;
    return { kind: "long", why };
  }
  const why = "what it is about is too long to be shown in full.";
  return isShownInFull(state, question) ? undefined : { kind: "long", why };
}

function sizeOf(state: ChatState, question: Question): number {
  const item = itemOf(state, question);
  const about =
    item?.kind === "command"
      ? item.script.length
      : item?.kind === "patch"
        ? item.files.reduce((sum, { change }) => sum + change.diff.length, 0)
        : 0;
  return about + JSON.stringify(question).length;
}

/** Whether the subject of the question is, or can be, shown with nothing left out. */
function isShownInFull(state: ChatState, question: Question): boolean {
  const item = itemOf(state, question);
  if (item?.kind === "command") return !item.isCut;
  if (item?.kind !== "patch") return true;
  return (
    !item.isCut &&
    item.omittedFiles === 0 &&
    item.files.every(({ block }) => block !== omittedBlock)
  );
}

function itemOf(state: ChatState, question: Question) {
  const isAboutItem = question.kind === "command" || question.kind === "patch";
  return isAboutItem ? state.items.get(question.itemId) : undefined;
}

/** The files of the patch that a pending approval asks about; undefined if it is about something else. */
export function askedChanges(state: ChatState, id: string): readonly FileChange[] | undefined {
  const itemId = state.approvals.get(id)?.itemId;
  const item = itemId === undefined ? undefined : state.items.get(itemId);
  return item?.kind === "patch" ? item.files.map(({ change }) => change) : undefined;
}
