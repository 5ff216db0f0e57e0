import type { ServerNotification } from "../codex/messages/index.ts";

/**
 * The file that Codex begins to read or edit, or has edited, and the line of its first change;
 * undefined for all else.
 *
 * SECURITY: a program inside may name any file; the editor shows only those of the project.
 */
export function followed(
  received: ServerNotification,
): { readonly path: string; readonly line?: number } | undefined {
  const { method } = received;
  if (method !== "item/started" && method !== "item/completed") return undefined;
  const { item } = received.params;
  if (item.type === "commandExecution") {
    const read = item.commandActions?.findLast(({ type, path }) => type === "read" && path != null);
    return read?.path == null || method === "item/completed" ? undefined : { path: read.path };
  }
  if (item.type !== "fileChange") return undefined;
  const change = item.changes.findLast(({ kind }) => kind.type === "add" || kind.type === "update");
  if (change === undefined) return undefined;
  const isDone = method === "item/completed" && item.status === "completed";
  const { kind, diff } = change;
  const moved = kind.type === "update" ? kind.move_path : undefined;
  // Its lines are those from before the change until that is made.
  const head = /^@@ -(\d+)\S* \+(\d+)/m.exec(kind.type === "update" ? diff : "");
  const line = Number(head?.[isDone ? 2 : 1] ?? 0);
  const path = isDone ? (moved ?? change.path) : change.path;
  return line > 0 ? { path, line } : { path };
}
