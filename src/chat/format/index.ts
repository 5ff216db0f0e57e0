/**
 * The format of a conversation's file: front matter, sections, titles, names, what has no answer.
 *
 * Pure functions of text: no I/O.
 */
export { type ChatMeta, lostMeta, withKeptKeys } from "./front-matter.ts";
export { findSections, linesOf, type PlacedSection } from "./sections.ts";
export { slug } from "./slug.ts";
export { title } from "./title.ts";
export { readTranscript, transcriptForModel, writeTranscript } from "./transcript.ts";
export { CUT_OFF, endsInAnswer, isAnswer, unansweredQuery } from "./unanswered.ts";
