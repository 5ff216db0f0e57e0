/**
 * Makes foreign markdown harmless as it streams in: open fences, HTML, pictures, look-alikes of the
 * host's own headings and summaries.
 *
 * Must not know items or turns, only lines of text.
 */
export { type Blocks, noBlocks, scanLine } from "./block-scanner.ts";
export { missingLine, wholeText } from "./close-fence.ts";
export { withoutHtml } from "./inline-escape.ts";
export { withoutRole } from "./lookalike.ts";
export { repairQuery } from "./query-repair.ts";
export {
  feed,
  finish,
  newSanitizer,
  type SanitizerState,
  sanitizedLines,
} from "./stream-sanitizer.ts";
