import { type LocalEvent, unansweredQuery } from "../chat/index.ts";
import type { LiveDocument } from "./live-document.ts";

/** What is said where nothing is without an answer. */
export const NOTHING_LEFT = "There is nothing to send. Type a query below the last `## You`.";

const SEND_AGAIN = "`:CodexChat retry`, or <CR> in the empty prompt, sends it again.";

/** Why a turn was cut off with the conversation, and what can be done where it has no answer. */
export function cutOff(why: string | undefined, document: LiveDocument): string | undefined {
  const isUnanswered = why !== undefined && unansweredQuery(document.text()) !== undefined;
  return isUnanswered ? `${why} ${SEND_AGAIN}` : why;
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

/** Shows, when a conversation is opened, that its last query has no answer and can be sent again. */
export function showLeft(document: LiveDocument): void {
  const left = unansweredQuery(document.text());
  if (left === undefined) return;
  if (left.how === "silent")
    document.apply({ type: "note", text: `This was never answered. ${SEND_AGAIN}` });
  document.setState({ phase: "failed", detail: "the last message has no answer" });
}
