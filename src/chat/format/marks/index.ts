/**
 * The marks of a conversation's file: the headings of its sections, the line about a query's context,
 * the lines around its front matter, code fences. `lua/codex-chat/format.lua` holds them for the
 * editor, and test/fixtures/format.json has the cases that both are tested against.
 *
 * Knows single lines; it does not know what a section holds.
 */
export {
  bodyStart,
  CODEX_HEADING,
  FRONT_MATTER_LINE,
  fenceAfter,
  frontMatterEnd,
  hasAnswer,
  MAX_FRONT_MATTER_LINES,
  type OpenFence,
  type Role,
  roleOf,
  USER_HEADING,
  withoutContext,
} from "./marks.ts";
