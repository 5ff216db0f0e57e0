/**
 * The list of conversations as the editor asks for it, and what becomes of Codex's threads where
 * conversations are renamed, archived and deleted.
 *
 * It does not know a conversation that is open.
 */
export { tellCodex } from "./codex-threads.ts";
export { forgetDeleted } from "./delete-threads.ts";
export { ThreadRequests } from "./thread-requests.ts";
