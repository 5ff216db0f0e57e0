import {
  isAnswer,
  readTranscript,
  transcriptForModel,
  writeTranscript,
} from "../../chat/format/index.ts";

/** The text of a conversation, for a thread that does not know it. */
export type TranscriptPreface = {
  readonly text: string;
  /** Whether it is only a part of the text. */
  readonly isCut: boolean;
};

/**
 * The text before the last `sending` queries, in at most `maxChars` characters; may be empty.
 */
export function prefaceOf(document: string, sending: number, maxChars: number): TranscriptPreface {
  const transcript = readTranscript(document);
  const sections = [...transcript.sections];
  let queries = 0;
  // At the end stand the queries, and the results of sending them so far.
  for (let last = sections.at(-1); last !== undefined; last = sections.at(-1)) {
    if (last.role === "user" ? queries >= sending : isAnswer(last.text)) break;
    if (last.role === "codex" && queries >= sending && last.text !== "") break;
    if (last.role === "user") queries += 1;
    sections.pop();
  }
  const whole = writeTranscript({ ...transcript, sections, prompt: "" });
  return { text: transcriptForModel(whole, maxChars), isCut: whole.length > maxChars };
}

/** Whether Codex has said anything in a conversation. */
export function hasAnswers(document: string): boolean {
  return readTranscript(document).sections.some(
    (section) => section.role === "codex" && isAnswer(section.text),
  );
}
