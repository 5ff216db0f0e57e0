import { realpath } from "node:fs/promises";
import type { FileUpdateChange } from "../../codex/messages/index.ts";
import type { ActionParams } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  type ChangeSet,
  oidOf,
  type ShadowRepository,
  type TreeFile,
} from "../../workspace/checkpoints/index.ts";
import { shownPath } from "../../workspace/index.ts";
import type { Conflict } from "../../workspace/restore/index.ts";
import { applied } from "../changes/index.ts";
import type { Failure } from "../failure.ts";
import { insideOf, isOfGit, type PatchPlace, readSome } from "./propose.ts";

type Params = Omit<ActionParams<"patch/apply">, "id">;

/** A patch that was applied as the user has changed it. */
export type Applied = {
  /** What it changed, with absolute paths. */
  readonly changes: readonly FileUpdateChange[];
  /** Files that somebody changed in that moment, and that are as they were. */
  readonly conflicts: readonly Conflict[];
};

const NOTHING: Failure = {
  kind: "nothing",
  message: "As it stands there, the patch changes nothing.",
  fix: "Decline it instead.",
};

/**
 * Applies a patch as the user has changed it, from the checkpoints that `propose` has given. What was
 * changed in the files since is merged; where that does not fit, nothing at all is written.
 *
 * What it changes counts as accepted, and as a part of the turn: undoing the turn takes it back.
 */
export async function applyEdited(
  { changes, mayWrite }: PatchPlace,
  { left, proposed, files }: Params,
): Promise<Result<Applied, Failure>> {
  const shadow = await changes.checkpoints.shadow();
  const root = await realpath(changes.root);
  const edited = await edit(shadow, { left, proposed, files, root });
  if (!edited.ok) return edited;
  const { to, contents } = edited.value;
  const wanted = await changes.derive(proposed, to, contents);
  if (!wanted.ok) return failed(wanted.error.message);
  const set = await changes.compare(left, wanted.value);
  if (!set.ok) return failed(set.error.message);
  if (set.value.files.length === 0) return err(NOTHING);
  const closed = set.value.files.find(
    ({ path }) => isOfGit(path) || !mayWrite(`${root}/${shownPath(path)}`),
  );
  if (closed !== undefined) return failed(`${shownPath(closed.path)} is read-only for Codex`);
  const never = new AbortController().signal;
  const planned = await changes.restorer.plan([set.value], never);
  if (!planned.ok) return failed(planned.error.message);
  const { conflicts } = planned.value.plan;
  if (conflicts.length > 0) {
    const names = conflicts.map(({ path }) => shownPath(path)).join(", ");
    return err({
      kind: "changed",
      message: `Nothing was applied: ${names} ${conflicts.length === 1 ? "was" : "were"} changed since, in the same lines.`,
      fix: "Your text stays in its buffer. Look at the patch again once the file is as you want it.",
    });
  }
  const made = await changes.restorer.change({
    ...{ title: "applying a patch as you changed it", sets: [set.value], signal: never },
    note: { kind: "patch" },
    record: (restored) => applied(changes, restored),
  });
  if (!made.ok) return failed(made.error.message);
  const failedPaths = new Set(made.value.conflicts.map(({ path }) => path));
  const done = set.value.files.filter(({ path }) => !failedPaths.has(path));
  return ok({
    changes: await changesOf(shadow, { ...set.value, files: done }, root),
    conflicts: made.value.conflicts,
  });
}

type Edit = {
  readonly to: ReadonlyMap<string, TreeFile | undefined>;
  readonly contents: readonly Buffer[];
};

/** What the user has made of the proposed files. */
async function edit(
  shadow: ShadowRepository,
  { left, proposed, files, root }: Params & { readonly root: string },
): Promise<Result<Edit, Failure>> {
  const to = new Map<string, TreeFile | undefined>();
  const contents: Buffer[] = [];
  const [before, after] = await Promise.all([shadow.recorded(left), shadow.recorded(proposed)]);
  if (!before.ok) return failed("it was shown too long ago");
  if (!after.ok) return failed("it was shown too long ago");
  for (const file of files) {
    const path = insideOf(file.path, root);
    const old = file.old === undefined ? undefined : insideOf(file.old, root);
    if (path === undefined) return failed(`${file.path} lies outside of the project`);
    if (file.text === undefined) {
      for (const each of [path, old])
        if (each !== undefined) to.set(each, before.value.files.get(each));
      continue;
    }
    const is = after.value.files.get(path);
    if (is === undefined || is.kind === "120000") return failed(`it makes no file ${file.path}`);
    const content = Buffer.from(file.text, "base64");
    contents.push(content);
    to.set(path, { ...is, oid: oidOf(content) });
  }
  return ok({ to, contents });
}

/** A change in the form in which Codex reports one. */
async function changesOf(
  shadow: ShadowRepository,
  { files, renames }: ChangeSet,
  root: string,
): Promise<readonly FileUpdateChange[]> {
  const at = (path: string) => `${root}/${shownPath(path)}`;
  const whole = files.filter(({ from, to }) => from === undefined || to === undefined);
  const read = await readSome(
    shadow,
    whole.flatMap(({ from, to }) => from?.oid ?? to?.oid ?? []),
  );
  const textOf = (oid: string) => (read.ok ? (read.value.get(oid)?.toString("utf8") ?? "") : "");
  const targets = new Set(renames.map(({ newPath }) => newPath));
  const changes: FileUpdateChange[] = [];
  for (const { path, from, to } of files) {
    const newPath = renames.find((each) => each.path === path)?.newPath;
    const moved = newPath === undefined ? to : files.find((each) => each.path === newPath)?.to;
    if (targets.has(path)) continue;
    if (from === undefined) {
      changes.push({ path: at(path), kind: { type: "add" }, diff: textOf(to?.oid ?? "") });
    } else if (moved === undefined) {
      changes.push({ path: at(path), kind: { type: "delete" }, diff: textOf(from.oid) });
    } else {
      const move_path = newPath === undefined ? null : at(newPath);
      const diff = await hunksOf(shadow, from.oid, moved.oid);
      changes.push({ path: at(path), kind: { type: "update", move_path }, diff });
    }
  }
  return changes;
}

const MAX_DIFF_BYTES = 32 * 1024 ** 2;

/** The hunks between two contents. */
async function hunksOf(shadow: ShadowRepository, one: string, other: string): Promise<string> {
  if (one === other) return "";
  const made = await shadow.run({
    args: ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--text", one, other],
    maxBytes: MAX_DIFF_BYTES,
  });
  const text = made.ok ? made.value.toString("utf8") : "";
  return text.slice(text.indexOf("\n@@") + 1);
}

function failed(message: string): Result<never, Failure> {
  return err({ kind: "patch", message: `The patch was not applied: ${message}.` });
}
