import type { ChatEvent, SendMode } from "../../src/chat/event.ts";
import { newTranscript } from "../../src/chat/format/transcript.ts";
import { reduce } from "../../src/chat/reducer/reduce.ts";
import { type ChatState, initialState } from "../../src/chat/state.ts";
import { parseNotification } from "../../src/codex/messages/notification.ts";
import {
  applyEdits,
  type ChatDocument,
  documentOf,
  sendPrompt,
  typeLines,
} from "../support/document-model.ts";

/** Types `text` into the prompt and sends it: an event that no recorded stream contains. */
export type PromptEvent = {
  readonly type: "prompt";
  readonly id: string;
  readonly mode: SendMode;
  readonly text: string;
};

/** A line of a scenario's `events.jsonl`. */
export type ScenarioEvent = ChatEvent | PromptEvent;

/** Parses a line of a scenario; Codex's notifications are parsed as in the product. */
export function readEvent(line: ScenarioEvent): ScenarioEvent {
  return "type" in line || !("params" in line) ? line : parseNotification(line.method, line.params);
}

/** The path of the scenarios' project. */
export const root = "/home/ada/engine";

/** A new conversation in that project, and its document. */
export function newChat(): { state: ChatState; document: ChatDocument } {
  const meta = { project: root, model: "gpt-5.5", created: "2026-03-14T09:26:53Z" };
  return { state: initialState({ root }), document: documentOf(newTranscript(meta)) };
}

/** Applies the edits of each event to the document. */
export function replay(events: Iterable<ScenarioEvent>): {
  state: ChatState;
  document: ChatDocument;
} {
  let { state, document } = newChat();
  for (const event of events) {
    let chatEvent: ChatEvent;
    if ("type" in event && event.type === "prompt") {
      ({ document } = typeAndSend(document, event));
      chatEvent = { type: "sent", id: event.id, mode: event.mode, text: event.text };
    } else {
      chatEvent = event;
    }
    const step = reduce(state, chatEvent);
    state = step.state;
    document = applyEdits(document, step.edits);
  }
  return { state, document };
}

/** Types a query into the prompt and sends it. */
export function typeAndSend(
  document: ChatDocument,
  prompt: PromptEvent,
): { document: ChatDocument } {
  const end = document.lines.length;
  const typed = typeLines(document, end, end, prompt.text.split("\n"));
  return sendPrompt(typed, prompt.id);
}
