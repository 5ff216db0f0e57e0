import { repairQuery } from "../../chat/markdown/index.ts";
import type { Query } from "../query.ts";

/**
 * Edits of sent queries where they stand in the document.
 *
 * Lua sends them when the user makes them. The host's copy of the lines cannot tell which of them are
 * a query's: Neovim reports joined lines (`3J`) as one line that changed and others that went, and
 * lines that undo brings back as new ones. Marks and the undo, which Lua has, know to the column.
 */
export class QueryEdits {
  readonly #texts = new Map<string, string | undefined>();

  /** Takes the text that stands in the place of a sent query; undefined if it was deleted. */
  set(id: string, text: string | undefined): void {
    this.#texts.set(id, text);
  }

  /** The text of a query, which was sent as `sent`, as it is now; undefined if it was deleted. */
  textOf(id: string, sent: string): string | undefined {
    if (!this.#texts.has(id)) return sent;
    const text = this.#texts.get(id);
    return text !== undefined && isSame(text, sent) ? sent : text;
  }

  /**
   * The queries as they are now, deleted ones left out. One that was edited goes without what was
   * attached to it: its mentions may have changed.
   */
  apply(queries: readonly Query[]): readonly Query[] {
    return queries.flatMap((query) => {
      const text = this.textOf(query.id, query.text);
      if (text === undefined) return [];
      return text === query.text ? [query] : [{ id: query.id, text }];
    });
  }
}

/** Whether a text is the one that was sent, perhaps repaired since by the host. */
function isSame(text: string, sent: string): boolean {
  if (text === sent.trim()) return true;
  const [, , ...lines] = repairQuery(sent) ?? [];
  return text === lines.join("\n").trim();
}
