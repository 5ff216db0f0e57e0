/**
 * One change of the document. Blocks are ranges of whole lines; ids are opaque.
 *
 * The host makes edits, Lua applies them at extmarks, and `applyEdits` is their model.
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
  /** Text, which may hold `\n`, at the block's end. */
  | { readonly op: "append"; readonly id: string; readonly text: string }
  /** Other lines in place of all of the block's. */
  | { readonly op: "replace"; readonly id: string; readonly lines: readonly string[] }
  /** The block's lines and its leading gap go. */
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

/** Names the place directly above the prompt, where a reopened conversation goes on. */
export const historyBlock = "history";
