import { isUtf8 } from "node:buffer";
import { realpath } from "node:fs/promises";
import type { FileUpdateChange } from "../../codex/messages/index.ts";
import type { GitError } from "../../git.ts";
import { statsAt } from "../../look.ts";
import type { ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  type Checkpoint,
  type FileKind,
  oidOf,
  type ShadowRepository,
  type TreeFile,
} from "../../workspace/checkpoints/index.ts";
import { bytePath } from "../../workspace/index.ts";
import { patched } from "../../workspace/patch/index.ts";
import type { ProjectChanges } from "../changes/index.ts";
import type { Failure } from "../failure.ts";

type Proposal = ActionResult<"patch/show">;

/** Where a patch is to be applied. */
export type PatchPlace = {
  readonly changes: ProjectChanges;
  /**
   * Whether the sandbox may write a file at this absolute path, and what it writes is there on the
   * host.
   */
  readonly mayWrite: (path: string) => boolean;
};

/** A file of a patch, with paths from the project's root, as bytes. */
type Proposed = {
  readonly change: FileUpdateChange;
  readonly path: string;
  /** Its path before, if that was another one. */
  readonly old: string | undefined;
  readonly before: TreeFile | undefined;
  /** Why its new text is not known; completes "a.txt cannot be edited here: ". */
  readonly why: string | undefined;
};

/** The largest file that is edited, and the most bytes that are looked at. */
const MAX_BYTES = 2 * 1024 ** 2;
const MAX_ALL_BYTES = 16 * 1024 ** 2;

const OUTSIDE = "it lies outside of the project";

/**
 * What the files of a patch hold, and what they would hold with it, as checkpoints; nothing in the
 * project is changed. A file whose new text is not known says why, and then none can be edited.
 *
 * SECURITY: the paths and the diffs come from the sandbox. Contents are those of a checkpoint, which
 * follows no link and reads nothing but plain files of the project.
 */
export async function propose(
  { changes, mayWrite }: PatchPlace,
  asked: readonly FileUpdateChange[],
): Promise<Result<Proposal, Failure>> {
  const taken = await changes.now();
  if (!taken.ok) return failed(taken.error.message);
  const now = taken.value;
  const root = await realpath(changes.root);
  const files = await Promise.all(asked.map((change) => look({ change, root, now, mayWrite })));
  const shadow = await changes.checkpoints.shadow();
  const contents = await readSome(
    shadow,
    files.flatMap(({ before }) => before?.oid ?? []),
  );
  if (!contents.ok) return failed(contents.error.message);
  const paths = files.flatMap(({ path, old }) => (old === undefined ? [path] : [path, old]));
  const changed = new Map<string, TreeFile | undefined>();
  const fresh: Buffer[] = [];
  const shown = files.map((file) => {
    const { path, old, before } = file;
    const isTwice = [path, old].some((each) => paths.filter((other) => other === each).length > 1);
    const content = before === undefined ? undefined : contents.value.get(before.oid);
    const why = file.why ?? (isTwice ? "the patch names it twice" : undefined);
    const after = why ?? afterOf(file, content);
    if (typeof after === "string") return { file, after: undefined, why: after };
    if (old !== undefined) changed.set(old, undefined);
    changed.set(path, after.file);
    if (after.content !== undefined) fresh.push(after.content);
    return { file, after: after.file, why: undefined };
  });
  const derived =
    changed.size === 0 ? ok(now.commit) : await changes.derive(now.commit, changed, fresh);
  if (!derived.ok) return failed(derived.error.message);
  const versions = await changes.versions.put(
    shown.flatMap(({ file: { before }, after }) => [
      ...(before !== undefined && contents.value.has(before.oid) ? [before.oid] : []),
      ...(after === undefined ? [] : [after.oid]),
    ]),
  );
  return ok({
    left: now.commit,
    proposed: derived.value,
    files: shown.map(({ file: { change, old, before }, after, why }) => ({
      path: old === undefined ? change.path : moveOf(change),
      ...(old === undefined ? {} : { old: change.path }),
      change: kindOf(change, before),
      before: versions.get(before?.oid ?? ""),
      after: versions.get(after?.oid ?? ""),
      why,
    })),
  });
}

type Look = {
  readonly change: FileUpdateChange;
  readonly root: string;
  readonly now: Checkpoint;
  readonly mayWrite: PatchPlace["mayWrite"];
};

async function look({ change, root, now, mayWrite }: Look): Promise<Proposed> {
  const target = moveOf(change);
  const path = insideOf(target, root);
  const source = insideOf(change.path, root);
  const old = target === change.path ? undefined : source;
  const file = { change, path: path ?? bytePath(target), old, before: undefined };
  if (path === undefined || source === undefined) return { ...file, why: OUTSIDE };
  const before = now.files.get(source);
  const why =
    (await refusal({ path, at: target, now, mayWrite })) ??
    (old === undefined
      ? undefined
      : ((await refusal({ path: old, at: change.path, now, mayWrite })) ??
        (now.files.has(path) ? "another file has its new name" : undefined)));
  return { ...file, before, why: why ?? (await absence(change, before)) };
}

/** Why a path is not written by the host; undefined for a plain file, or none, of the project. */
async function refusal(at: {
  readonly path: string;
  readonly at: string;
  readonly now: Checkpoint;
  readonly mayWrite: PatchPlace["mayWrite"];
}): Promise<string | undefined> {
  const { path, now, mayWrite } = at;
  if (isOfGit(path)) return "it is part of a git repository";
  if (!mayWrite(at.at)) return "it is read-only for Codex";
  const above = parentsOf(path);
  if (above.some((dir) => now.files.has(dir))) return "a link or a file lies in its way";
  const missed = now.missed.find((each) => each.path === path || above.includes(each.path));
  if (missed?.why === "large") return "it is too large to be recorded";
  if (missed !== undefined) return "its directory is not recorded";
  if (now.files.get(path)?.kind === "120000") return "it is a link";
  if (now.files.has(path)) return undefined;
  // A pipe, a directory, and what the plugin itself keeps there.
  const stats = await statsAt(at.at).catch(() => null);
  return stats === undefined ? undefined : "it is not a plain file";
}

async function absence(
  { kind }: FileUpdateChange,
  before: TreeFile | undefined,
): Promise<string | undefined> {
  if (kind.type === "unknown") return "Codex does not say how it changes";
  return before === undefined && kind.type !== "add" ? "it is not there" : undefined;
}

/** How many contents are read at once. */
const BATCH = 4;

/** Contents by their names, until there are more than is looked at. */
export async function readSome(
  shadow: ShadowRepository,
  oids: readonly string[],
): Promise<Result<ReadonlyMap<string, Buffer>, GitError>> {
  const contents = new Map<string, Buffer>();
  let bytes = 0;
  for (let at = 0; at < oids.length && bytes < MAX_ALL_BYTES; at += BATCH) {
    const read = await shadow.read(oids.slice(at, at + BATCH));
    if (!read.ok) return read;
    for (const [oid, content] of read.value) {
      contents.set(oid, content);
      bytes += content.length;
    }
  }
  return ok(contents);
}

type After = { readonly file: TreeFile | undefined; readonly content: Buffer | undefined };

/** A file as the patch makes it, or why that is not known. */
function afterOf(
  { change: { kind, diff }, before }: Proposed,
  content: Buffer | undefined,
): After | string {
  if (kind.type === "delete") return { file: undefined, content: undefined };
  if (before !== undefined && content === undefined) return "it and the others are too large";
  if ((content?.length ?? 0) > MAX_BYTES || diff.length > MAX_BYTES) return "it is too large";
  const text = kind.type === "add" ? diff : textOf(content);
  if (text?.includes("\0") !== false) return "it is not text in UTF-8";
  const after = kind.type === "add" ? text : patched(text, diff);
  if (after === undefined) return "the patch does not fit it: it was changed since";
  const made = Buffer.from(after);
  const mode = before?.mode;
  const usual: FileKind = "100644";
  return { file: { kind: before?.kind ?? usual, oid: oidOf(made), mode }, content: made };
}

function textOf(content: Buffer | undefined): string | undefined {
  return content === undefined || !isUtf8(content) ? undefined : content.toString("utf8");
}

function kindOf(
  { kind }: FileUpdateChange,
  before: TreeFile | undefined,
): Proposal["files"][number]["change"] {
  if (kind.type === "delete") return "deleted";
  if (kind.type === "update" && kind.move_path != null) return "renamed";
  return before === undefined ? "created" : "changed";
}

/** The path that a file has with the patch. */
function moveOf({ kind, path }: FileUpdateChange): string {
  return (kind.type === "update" ? kind.move_path : undefined) ?? path;
}

/** A path from the root on, as bytes; undefined for one that is not plainly below it. */
export function insideOf(path: string, root: string): string | undefined {
  if (!path.startsWith(`${root}/`) || path.includes("\0")) return undefined;
  const inside = path.slice(root.length + 1);
  const isPlain = inside.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  return isPlain ? bytePath(inside) : undefined;
}

/** Whether a path leads into a git directory: the host writes none. */
export function isOfGit(path: string): boolean {
  return path.split("/").some((part) => part.toLowerCase() === ".git");
}

/** The directories above a path. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function failed(message: string): Result<never, Failure> {
  return err({ kind: "patch", message: `The patch cannot be shown as a diff: ${message}.` });
}
