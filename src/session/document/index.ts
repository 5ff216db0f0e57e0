/**
 * The chat buffer as the host sees it: its text, its file, what Codex's events make of both.
 *
 * It must not know the thread or the sandbox.
 */
export { allowedDecisions } from "./choices.ts";
export { type Finding, findingsOf } from "./findings.ts";
export { Pictures } from "./images.ts";
export { LiveDocument, type RunState } from "./live-document.ts";
export { type Point, placeQueries, pointAt, type ThreadTurn, textAfter } from "./timeline.ts";
