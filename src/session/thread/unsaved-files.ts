import type { ParamsOf } from "../../codex/index.ts";
import type { Query } from "../query.ts";

/** More than this of a path is no name that anybody has given. */
const MAX_NAME = 300;

/** Tells Codex of files that it would find otherwise than the user sees them. */
export class UnsavedFiles {
  #toldOfSome = false;

  /**
   * What goes along with these queries: the files with changes that are not saved, or once that there
   * are none any more.
   *
   * SECURITY: names of files may be the agent's or a stranger's; they are quoted, and end somewhere.
   */
  of(queries: readonly Query[]): Pick<ParamsOf<"turn/start">, "additionalContext"> {
    const names = new Set(queries.flatMap((it) => it.unsaved ?? []));
    const quoted = [...names].filter((it) => it.length <= MAX_NAME).map((it) => JSON.stringify(it));
    if (quoted.length > 0) {
      this.#toldOfSome = true;
      return context(
        `The user has changes that are not saved in ${quoted.join(", ")}. Look at them with the editor's read_buffer before you edit these files, and say so if you do.`,
      );
    }
    // A retry has no queries, and one that was edited while it waited says nothing of files.
    if (!this.#toldOfSome || queries.every((it) => it.unsaved === undefined)) return {};
    this.#toldOfSome = false;
    return context("The user has saved all changes, or dropped them.");
  }
}

function context(value: string): Pick<ParamsOf<"turn/start">, "additionalContext"> {
  return { additionalContext: { editor: { value, kind: "application" } } };
}
