/**
 * Keeps foreign markdown harmless as it streams in: block structure, HTML, pictures, role
 * headings.
 *
 * It knows no item and no turn, only lines.
 */
export { type Blocks, noBlocks, scanLine } from "./block-scanner.ts";
export { missingLine, wholeText } from "./close-fence.ts";
export { withoutHtml } from "./inline-escape.ts";
export { repairQuery, withoutContext } from "./query-repair.ts";
export {
  feed,
  finish,
  newSanitizer,
  type SanitizerState,
  sanitizedLines,
  withoutRole,
} from "./stream-sanitizer.ts";
