import { CUT_OFF, endsInAnswer, unansweredQuery } from "../../chat/format/index.ts";
import { USER_HEADING } from "../../chat/format/marks/index.ts";
import type { LocalEvent } from "../../chat/index.ts";
import type { DocumentPort } from "./ports.ts";

/** The message where there is nothing to send again. */
export const NOTHING_UNSENT = `There is nothing to send. Type a query below the last \`${USER_HEADING}\`.`;

const SEND_AGAIN = "`:CodexChat retry`, or `<CR>` in the empty prompt, sends it again.";

/** Why a turn was cut off with the conversation, and what can be done where it answers a query. */
export function cutOff(why: string | undefined, isAnswering: boolean): string | undefined {
  if (why === undefined) return undefined;
  return isAnswering ? `${why} ${SEND_AGAIN}` : why.replace(CUT_OFF, "before this was over.");
}

/** The note on queries that are kept back after a turn that did not complete. */
export const heldBack: LocalEvent = {
  type: "note",
  text: "The waiting queries are sent with your next message.",
};

/** The note on a query that was stopped before it went out. */
export const stoppedUnsent: LocalEvent = { type: "note", text: "Stopped before it was sent." };

/** The note on a query whose attachments cannot be sent again. */
export const contextLost: LocalEvent = {
  type: "note",
  text: "This is sent again without its attachments. Mention them again if Codex needs them.",
};

/**
 * What a conversation that is opened says of its last query, where that has no answer and can be sent
 * again, or of a text whose end was cut off because the host that wrote it was killed. `detail` is
 * for the winbar, as that of a failed turn.
 */
export function unansweredAtOpening(document: Pick<DocumentPort, "text" | "left">): {
  readonly events: readonly LocalEvent[];
  readonly detail?: string;
} {
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
  const events: LocalEvent[] = [];
  if (note !== undefined && endsInAnswer(text)) events.push({ type: "goes_on" });
  if (note !== undefined) events.push({ type: "note", text: note });
  if (left === undefined && !(isCut && isAnswer)) return { events };
  const isPart = isCut || left?.isPartial === true;
  return {
    events,
    detail: isPart ? "the last answer is not whole" : "the last message has no answer",
  };
}
