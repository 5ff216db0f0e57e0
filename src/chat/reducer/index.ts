/**
 * The reducer: takes an event, returns the next state and the edits of the document.
 *
 * No I/O, no clock, no randomness; no event makes it throw.
 */
export { whyNotAsked } from "./asked.ts";
export { reduce } from "./reduce.ts";
export { commandBlock, type StatusFacts } from "./status.ts";
