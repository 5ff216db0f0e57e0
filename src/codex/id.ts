import * as z from "zod";

/** The longest id that is accepted; Codex's own have some 40 characters. */
const MAX_ID_CHARS = 200;

/**
 * An id of a thread, a turn, an item or a process.
 *
 * SECURITY: ids are kept for as long as what they name, and programs inside may forge them.
 */
export const Id = z.string().max(MAX_ID_CHARS);
