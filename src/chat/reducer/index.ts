/**
 * The reducer: takes the state and an event, returns the next state and the edits of the document.
 *
 * Must not do I/O, read a clock, use randomness, or throw for any event.
 */
export { reduce } from "./reduce.ts";
export { commandBlock, type StatusFacts } from "./status.ts";
