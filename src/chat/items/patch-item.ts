import { countOf, shownPath } from "../fences.ts";
import { maxPatchFiles } from "../limits.ts";
import { sanitizedLines } from "../markdown/index.ts";
import { append, type Draft, insertBelow, keepItem } from "../reducer-context.ts";
import type { FileChange, OpenPatch, PatchPhase } from "../state.ts";
import { emptyPatchSummary, patchFence, patchSummary } from "./patch-text.ts";

/** Shows a patch that starts: a summary line per file; the diffs follow later. */
export function startPatch(
  draft: Draft,
  id: string,
  changes: readonly FileChange[],
  isCut = false,
): OpenPatch {
  const files = changes.slice(0, maxPatchFiles).map((change) => {
    const block = append(draft, [patchSummary(change, "running", draft.state.root)]);
    draft.edits.push({ op: "mark", id: block, mark: "running" });
    return { block, anchor: block, diff: undefined, folded: false, change };
  });
  const omittedFiles = changes.length - files.length;
  return keep(draft, id, {
    kind: "patch",
    files,
    phase: "running",
    answer: undefined,
    omittedFiles,
    isCut,
  });
}

/**
 * Asks whether the patch may be applied; shows every diff in full and unfolded, with the reason.
 */
export function askPatch(
  draft: Draft,
  id: string,
  item: OpenPatch,
  reason: string | undefined,
): OpenPatch {
  const quote = reason === undefined ? [] : sanitizedLines(reason, "> ");
  const files = item.files.map((file, index) => {
    const block =
      index === 0 && quote.length > 0 ? insertBelow(draft, file.anchor, quote) : file.anchor;
    return { ...file, anchor: block };
  });
  const asked = { ...item, files, phase: "asks" as const };
  return keep(draft, id, showDiffs(draft, updateSummaries(draft, asked), true));
}

/** Shows the answer to `askPatch`. */
export function answerPatch(
  draft: Draft,
  id: string,
  item: OpenPatch,
  phase: "running" | "declined" | "stopped",
  answer: string | undefined,
): void {
  keep(draft, id, fold(draft, updateSummaries(draft, { ...item, phase, answer })));
}

/** Updates a patch that is still being written. */
export function growPatch(
  draft: Draft,
  id: string,
  item: OpenPatch,
  changes: readonly FileChange[],
): void {
  keep(draft, id, updateSummaries(draft, takeChanges(draft, item, changes)));
}

/**
 * Shows how the patch ended, removes it from the open items, and returns its final state. `changes`
 * are the final ones, if known; `status` is Codex's status of an end that has no phase.
 */
export function endPatch(
  draft: Draft,
  id: string,
  item: OpenPatch,
  phase: PatchPhase,
  changes: readonly FileChange[] | undefined,
  status?: string,
): OpenPatch {
  let ended = takeChanges(draft, { ...item, phase }, changes ?? []);
  if (status !== undefined) ended = { ...ended, answer: status };
  if (ended.files.length === 0) append(draft, [emptyPatchSummary(phase, ended.answer)]);
  ended = fold(draft, showDiffs(draft, updateSummaries(draft, ended), false));
  const last = ended.files.at(-1);
  if (ended.omittedFiles > 0 && last !== undefined)
    insertBelow(
      draft,
      last.diff ?? last.anchor,
      [`… ${countOf(ended.omittedFiles, "more file")} left out …`],
      1,
    );
  keepItem(draft, id, undefined);
  return ended;
}

/**
 * The patch with these changes: known files are updated, new ones are added below. Codex gives a
 * file's absolute path, but a relative one while the patch is being written.
 */
function takeChanges(draft: Draft, item: OpenPatch, changes: readonly FileChange[]): OpenPatch {
  const files = [...item.files];
  /** By name: the indexes of files that no change was assigned to yet. */
  const free = new Map<string, number[]>();
  const nameOf = (change: FileChange) => shownPath(change.path, draft.state.root);
  for (const [at, { change }] of files.entries()) {
    const name = nameOf(change);
    free.set(name, [...(free.get(name) ?? []), at]);
  }
  let omittedFiles = 0;
  for (const change of changes) {
    const at = free.get(nameOf(change))?.shift();
    const known = at === undefined ? undefined : files[at];
    if (at !== undefined && known !== undefined) {
      files[at] = withChange(draft, known, change);
    } else if (files.length >= maxPatchFiles) {
      omittedFiles += 1;
    } else {
      const last = files.at(-1);
      const line = [patchSummary(change, item.phase, draft.state.root)];
      const block =
        last === undefined
          ? append(draft, line)
          : insertBelow(draft, last.diff ?? last.anchor, line, 1);
      files.push({ block, anchor: block, diff: undefined, folded: false, change });
    }
  }
  return { ...item, files, omittedFiles: changes.length === 0 ? item.omittedFiles : omittedFiles };
}

function withChange(draft: Draft, file: OpenPatch["files"][number], change: FileChange) {
  if (file.diff !== undefined && change.diff !== file.change.diff) {
    const lines = patchFence(change, true);
    if (lines.length > 0) draft.edits.push({ op: "replace", id: file.diff, lines });
  }
  return { ...file, change };
}

function keep(draft: Draft, id: string, item: OpenPatch): OpenPatch {
  keepItem(draft, id, item);
  return item;
}

function updateSummaries(draft: Draft, item: OpenPatch): OpenPatch {
  for (const { block, change } of item.files) {
    const line = patchSummary(change, item.phase, draft.state.root, item.answer);
    const mark = item.phase === "running" ? "running" : "none";
    draft.edits.push({ op: "replace", id: block, lines: [line] }, { op: "mark", id: block, mark });
  }
  return item;
}

function showDiffs(draft: Draft, item: OpenPatch, whole: boolean): OpenPatch {
  const files = item.files.map((file) => {
    if (file.diff !== undefined) return file;
    const lines = patchFence(file.change, whole);
    return lines.length === 0 ? file : { ...file, diff: insertBelow(draft, file.anchor, lines) };
  });
  return { ...item, files };
}

function fold(draft: Draft, item: OpenPatch): OpenPatch {
  const files = item.files.map((file) => {
    if (file.diff === undefined || file.folded) return file;
    draft.edits.push({ op: "fold", from: file.diff, to: file.diff, label: "diff" });
    return { ...file, folded: true };
  });
  return { ...item, files };
}
