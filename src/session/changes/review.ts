import { createHash, randomBytes } from "node:crypto";
import type { ActionParams, ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Checkpoint, oidOf, type TreeFile } from "../../workspace/checkpoints/index.ts";
import { bytePath } from "../../workspace/index.ts";
import type { Restored } from "../../workspace/restore/index.ts";
import type { Failure } from "../failure.ts";
import type { ProjectChanges } from "./project-changes.ts";

type Accept = ActionParams<"changes/accept">;
type Hunk = NonNullable<Accept["files"][number]["hunks"]>[number];
type NewLeft = ActionResult<"changes/accept">;

const NOTHING_ACCEPTED: Failure = {
  kind: "nothing",
  message: "There is no accepted change to take back.",
};

/** Accepts files, or parts of them: they are as before from now on. */
export async function accept(
  changes: ProjectChanges,
  { left, files }: Accept,
): Promise<Result<NewLeft, Failure>> {
  const now = await changes.now();
  if (!now.ok) return failed(now.error.message);
  const compared = await changes.compare(left, now.value.commit);
  if (!compared.ok) return failed(compared.error.message);
  const accepted = new Map<string, TreeFile | undefined>();
  const contents: Buffer[] = [];
  for (const file of files) {
    const path = bytePath(file.path.slice(changes.root.length + 1));
    const change = compared.value.files.find((each) => each.path === path);
    if (change === undefined) continue;
    if (file.hunks === undefined || change.from === undefined || change.to === undefined) {
      accepted.set(path, change.to && { ...change.to, mode: change.toMode });
      const rename = compared.value.renames.find(({ newPath }) => newPath === path);
      if (rename !== undefined) accepted.set(rename.path, undefined);
      continue;
    }
    const merged = await withHunks(changes, now.value, path, change.from, file);
    if (!merged.ok) return merged;
    contents.push(merged.value);
    accepted.set(path, { kind: change.from.kind, oid: oidOf(merged.value) });
  }
  if (accepted.size === 0) return ok({ left });
  const derived = await changes.derive(left, accepted, contents);
  if (!derived.ok) return failed(derived.error.message);
  const id = randomBytes(8).toString("hex");
  const to = derived.value;
  await changes.log.settle({ id, why: "accepted", atMs: Date.now(), from: left, to });
  return ok({ left: to });
}

/**
 * Records what the user has made of a patch of Codex's, before it was applied: it is a part of the turn
 * that is accepted already.
 */
export async function applied(
  { log }: ProjectChanges,
  { id, before, after }: Pick<Restored, "id" | "before" | "after">,
): Promise<void> {
  const [from, to] = [before.commit, after.commit];
  await log.settle({ id, why: "accepted", atMs: Date.now(), from, to });
}

/** Takes the last acceptance back. */
export async function unaccept(changes: ProjectChanges): Promise<Result<NewLeft, Failure>> {
  const { settled } = await changes.log.read();
  const last = settled.findLast(({ why }) => why === "accepted");
  if (last === undefined) return err(NOTHING_ACCEPTED);
  await changes.log.unsettle(last.id);
  return ok({ left: last.from });
}

/** The file at the left with some lines of the one at the right. */
async function withHunks(
  { checkpoints }: ProjectChanges,
  now: Checkpoint,
  path: string,
  before: TreeFile,
  { hunks = [], sha256 }: Accept["files"][number],
): Promise<Result<Buffer, Failure>> {
  const oid = now.files.get(path)?.oid ?? "";
  const read = await (await checkpoints.shadow()).read([before.oid, oid]);
  if (!read.ok) return failed(read.error.message);
  const [left, right] = [read.value.get(before.oid), read.value.get(oid)];
  if (left === undefined || right === undefined) return failed("a content is not on record");
  if (sha256 !== undefined && sha256 !== createHash("sha256").update(right).digest("hex"))
    return err({
      kind: "changed",
      message: "The file has changed since this was shown.",
      fix: "Open the review again: :CodexChat diff",
    });
  return ok(spliced(left, right, hunks));
}

/** `left` with the lines of these hunks from `right`; lines are counted as in vim.diff(). */
function spliced(left: Buffer, right: Buffer, hunks: readonly Hunk[]): Buffer {
  const [old, fresh] = [linesOf(left), linesOf(right)];
  const parts: Buffer[] = [];
  let at = 0;
  for (const hunk of [...hunks].sort((one, other) => one.left[0] - other.left[0])) {
    const start = startOf(hunk.left);
    parts.push(...old.slice(at, start));
    const from = startOf(hunk.right);
    parts.push(...fresh.slice(from, from + hunk.right[1]));
    at = start + hunk.left[1];
  }
  parts.push(...old.slice(at));
  return Buffer.concat(parts);
}

/** Of no lines, the first is the line above them. */
function startOf([first, count]: readonly [number, number]): number {
  return count === 0 ? first : first - 1;
}

/** A content's lines, each with its end. */
function linesOf(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < content.length; ) {
    const end = content.indexOf(0x0a, at);
    const next = end === -1 ? content.length : end + 1;
    lines.push(content.subarray(at, next));
    at = next;
  }
  return lines;
}

function failed(message: string): Result<never, Failure> {
  return err({ kind: "changes", message: `The change cannot be accepted: ${message}.` });
}
