/**
 * One item of a turn as text: messages, commands, patches, tool calls, from start to end.
 *
 * Pure functions of the reducer: no I/O, no clock, no editor.
 */
export { answerCommand, askCommand, startCommand, stopCommands } from "./command-item.ts";
export { wholeOutput } from "./command-output.ts";
export {
  completeItem,
  completePreknown,
  growItem,
  isNewCompaction,
  showAgentPatch,
  startItem,
} from "./item.ts";
export { answerPatch, askPatch } from "./patch-item.ts";
export { cutOffTexts } from "./text-item.ts";
export { completeTurn, showFailure } from "./turn.ts";
