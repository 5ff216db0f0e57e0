import { CUT_OFF, endsInAnswer, unansweredQuery } from "../../chat/format/index.ts";
import type { LocalEvent } from "../../chat/index.ts";
import type { LiveDocument } from "../document/index.ts";

/** What is said where nothing is without an answer. */
export const NOTHING_UNSENT = "There is nothing to send. Type a query below the last `## You`.";

const SEND_AGAIN = "`:CodexChat retry`, or `<CR>` in the empty prompt, sends it again.";

/** Why a turn was cut off with the conversation, and what can be done where it answers a query. */
export function cutOff(why: string | undefined, isAnswering: boolean): string | undefined {
  if (why === undefined) return undefined;
  return isAnswering ? `${why} ${SEND_AGAIN}` : why.replace(CUT_OFF, "before this was over.");
}

/** What is said of queries that are kept back after a turn that did not complete. */
export const heldBack: LocalEvent = {
  type: "note",
  text: "What waited goes along with your next message.",
};

/** What is said where what went along with a query cannot be sent again. */
export const contextLost: LocalEvent = {
  type: "note",
  text: "This is sent again without what went along with it. Mention that once more if Codex needs it.",
};

/**
 * Shows, when a conversation is opened, that its last query has no answer and can be sent again, or
 * that what ends its text was cut off where the host that wrote it was killed.
 */
export function showUnsent(document: LiveDocument): void {
  const text = document.text();
  const left = unansweredQuery(text);
  const isAnswer = document.left === "answer";
  const isCut = left === undefined && document.left !== "nothing";
  const note =
    left?.how === "silent"
      ? `This was never answered. ${SEND_AGAIN}`
      : isCut
        ? cutOff(`The host was ended ${CUT_OFF}`, isAnswer)
        : undefined;
  if (note !== undefined) {
    if (endsInAnswer(text)) document.apply({ type: "goes_on" });
    document.apply({ type: "note", text: note });
  }
  if (left === undefined && !(isCut && isAnswer)) return;
  const isPart = isCut || left?.isPartial === true;
  const detail = isPart ? "the last answer is not whole" : "the last message has no answer";
  document.setState({ phase: "failed", detail });
}
