/**
 * One change of the document. Blocks are ranges of whole lines; ids are opaque.
 *
 * The host creates edits, Lua applies them at extmarks, and the tests' `applyEdits` models that.
 */
export type Edit =
  /** A new block of whole lines below block `after`; with `gap` 1, one blank line between. */
  | {
      readonly op: "insert";
      readonly id: string;
      readonly after: string;
      readonly lines: readonly string[];
      readonly gap: 0 | 1;
    }
  /** Text, which may contain `\n`, for the block's end. */
  | { readonly op: "append"; readonly id: string; readonly text: string }
  /** Replaces all lines of the block. */
  | { readonly op: "replace"; readonly id: string; readonly lines: readonly string[] }
  /** Removes the block's lines and the blank line before it. */
  | { readonly op: "remove"; readonly id: string }
  /** A closed fold from the first line of `from` to the last of `to`. */
  | { readonly op: "fold"; readonly from: string; readonly to: string; readonly label?: string }
  /** Virtual text at the end of the block's first line. */
  | {
      readonly op: "mark";
      readonly id: string;
      readonly mark: "running" | "queued" | "none";
      readonly text?: string;
    };

/** The place directly above the prompt, where a reopened conversation continues. */
export const historyBlock = "history";
