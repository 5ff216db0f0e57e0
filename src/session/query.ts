import type { ChatEvent, SendMode } from "../chat/index.ts";

/** A query as the editor sent it. `id` is the editor's block id, which is also Codex's clientId. */
export type Query = {
  readonly id: string;
  readonly text: string;
  /** The line of the document below the text that lists the attachments. */
  readonly contextLine?: string;
  /** Files with changes that are not saved. */
  readonly unsaved?: readonly string[];
  /** What the editor attached. */
  readonly context?: readonly ContextPart[];
  /** It had attachments when it was sent in an earlier run; they are lost. */
  readonly hadContext?: boolean;
};

/** The id of a query that stands in the text from an earlier run, and has no block. */
export const LEFT_ID = "user:left";

/**
 * An attachment of a query: a text that says what it is, in a fence that nothing in it can close; a
 * picture as a data URL; or a skill.
 */
type ContextPart = {
  readonly text?: string | undefined;
  readonly image?: string | undefined;
  readonly skill?: { readonly name: string; readonly path: string } | undefined;
};

/** The event that puts a query into its place in the document. */
export function sentAs(query: Query, mode: SendMode): Extract<ChatEvent, { type: "sent" }> {
  const { id, text, contextLine } = query;
  if (id === LEFT_ID) return { type: "sent", id, mode, isAbove: true };
  return { type: "sent", id, mode, text, ...(contextLine === undefined ? {} : { contextLine }) };
}
