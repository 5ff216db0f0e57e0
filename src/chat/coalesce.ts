import type { Edit } from "./edits.ts";

/**
 * Gives fewer edits with the same effect: what follows on a block's content is merged into what
 * came before, of several marks the last one counts, and a block that is made and removed is
 * never made.
 */
export function coalesce(edits: readonly Edit[]): Edit[] {
  const out: (Edit | undefined)[] = [];
  /** Where the one edit of a block's content stands in `out`. */
  const contents = new Map<string, number>();
  const marks = new Map<string, number>();
  const pinned = new Set<string>();
  for (const edit of edits) {
    switch (edit.op) {
      case "insert":
        pinned.add(edit.after);
        contents.set(edit.id, out.push(edit) - 1);
        break;
      case "append":
      case "replace": {
        const at = contents.get(edit.id);
        const before = at === undefined ? undefined : out[at];
        const merged = before === undefined ? undefined : merge(before, edit);
        if (at === undefined || merged === undefined) contents.set(edit.id, out.push(edit) - 1);
        else out[at] = merged;
        break;
      }
      case "mark": {
        const at = marks.get(edit.id);
        if (at !== undefined) out[at] = undefined;
        marks.set(edit.id, out.push(edit) - 1);
        break;
      }
      case "fold":
        pinned.add(edit.from);
        pinned.add(edit.to);
        out.push(edit);
        break;
      case "remove": {
        const at = contents.get(edit.id);
        const mark = marks.get(edit.id);
        if (mark !== undefined) out[mark] = undefined;
        if (at !== undefined && out[at]?.op === "insert" && !pinned.has(edit.id)) {
          out[at] = undefined;
        } else {
          out.push(edit);
        }
        contents.delete(edit.id);
        marks.delete(edit.id);
        break;
      }
      default:
        edit satisfies never;
    }
  }
  return out.filter((edit) => edit !== undefined);
}

function merge(before: Edit, edit: Extract<Edit, { op: "append" | "replace" }>): Edit | undefined {
  if (before.op !== "insert" && before.op !== "append" && before.op !== "replace") return undefined;
  if (edit.op === "replace") {
    return before.op === "insert" ? { ...before, lines: edit.lines } : edit;
  }
  if (before.op === "append") return { ...before, text: before.text + edit.text };
  const [first = "", ...rest] = edit.text.split("\n");
  const kept = before.lines.slice(0, -1);
  return { ...before, lines: [...kept, `${before.lines.at(-1) ?? ""}${first}`, ...rest] };
}
