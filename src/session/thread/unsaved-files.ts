import type { Query } from "../query.ts";

/** A longer path is not a name that anybody has given. */
const MAX_NAME = 300;

/** Tells Codex which files differ on disk from what the user sees. */
export class UnsavedFiles {
  #hasNamedSome = false;

  /**
   * What Codex is to know for these queries: the files with unsaved changes, or once that there are none left.
   *
   * SECURITY: file names may be the agent's or a stranger's; they are quoted and bounded.
   */
  of(queries: readonly Query[]): string | undefined {
    const names = new Set(queries.flatMap((query) => query.unsaved ?? []));
    const quoted = [...names]
      .filter((name) => name.length <= MAX_NAME)
      .map((name) => JSON.stringify(name));
    if (quoted.length > 0) {
      this.#hasNamedSome = true;
      return `The user has changes that are not saved in ${quoted.join(", ")}. Look at them with the editor's read_buffer before you edit these files, and say so if you do.`;
    }
    // A retry has no queries, and a query that was edited while it waited lists no files.
    if (!this.#hasNamedSome || queries.every((query) => query.unsaved === undefined))
      return undefined;
    this.#hasNamedSome = false;
    return "The user has saved all changes, or dropped them.";
  }
}
