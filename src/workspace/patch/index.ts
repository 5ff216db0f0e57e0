/**
 * Patches as text: what a file becomes by a unified diff.
 *
 * It does no I/O.
 */
export { patched } from "./unified.ts";
