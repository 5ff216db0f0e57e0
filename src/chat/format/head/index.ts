/**
 * What a list needs of a conversation: its name, its thread, its first query, how many answers it has,
 * what its pictures are called; and giving it another name.
 *
 * Pure functions of text. It does not know where conversations lie.
 */

export { withMeta } from "../front-matter.ts";
export { pictureStem } from "../slug.ts";
export { cleanName } from "../title.ts";
export { type ChatHead, readHead } from "./head.ts";
