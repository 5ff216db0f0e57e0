/** A conversation whose changes are asked for. */
export type ChatPlace = {
  readonly path: string;
  readonly threadId: string | undefined;
  readonly text: string;
};

/** Those of a conversation, by its file or its thread: a thread may be replaced, and a file renamed. */
export function ownOf<T extends { readonly thread: string; readonly chat: string }>(
  all: readonly T[],
  { path, threadId }: Pick<ChatPlace, "path" | "threadId">,
): readonly T[] {
  return all.filter(({ thread, chat }) => chat === path || thread === threadId);
}
