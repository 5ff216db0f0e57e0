/**
 * Renders the items of a turn, from start to end: messages, commands, patches, tool calls.
 *
 * Pure functions for the reducer. Must not do I/O, read a clock, or know the editor.
 */
export { reduceApproval } from "./approval.ts";
export { askedChanges, whyNotAsked } from "./asked.ts";
export { stopCommands } from "./command-item.ts";
export { wholeOutput } from "./command-output.ts";
export {
  completeItem,
  completePreknown,
  growItem,
  isNewCompaction,
  showOtherPatch,
  startItem,
} from "./item.ts";
export { cutOffTexts } from "./text-item.ts";
export { completeTurn, showFailure } from "./turn.ts";
