import { codeOf } from "../../error-code.ts";
import { bytesOf } from "../byte-path.ts";
import { isSameFile, kindOf, oidOf, type TreeFile } from "../checkpoints/index.ts";
import type { ProjectDir } from "../project-dir.ts";
import type { ConflictReason, Step } from "./change.ts";

/** Larger than any file that is recorded, so that one that has grown is another one. */
const MAX_BYTES = 16 * 1024 ** 2;
/** Errors of a file system without second names, or that has too many of this file. */
const NO_SECOND_NAME: ReadonlySet<string> = new Set(["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** What was to be written and met something else. */
export class NotDone extends Error {
  readonly why: ConflictReason;

  constructor(why: ConflictReason, options?: ErrorOptions) {
    super(why, options);
    this.why = why;
  }
}

/**
 * Makes the file of a step, or replaces the one that is there. It is whole at every moment, and what
 * somebody else writes in this moment wins.
 *
 * @throws `NotDone`, or the error of the file system
 */
export function makeFile(
  dir: ProjectDir,
  step: Step,
  content: Buffer | undefined,
  draft: string,
): void {
  const { from, to } = step;
  const name = nameOf(step.path);
  if (to === undefined || content === undefined) throw new NotDone("failed");
  const isReady = isAsPlanned(dir, step) === "ready";
  if (isSameFile(from, to)) {
    if (to.kind !== "120000") dir.chmod(name, modeOf(step, to));
    return;
  }
  if (!isReady) return;
  if (to.kind === "120000") dir.createLink(draft, content.toString("latin1"));
  else dir.create(draft, content, modeOf(step, to));
  try {
    if (from === undefined) placeNew(dir, draft, name);
    else replace(dir, step, draft);
  } finally {
    dir.remove(draft);
  }
}

/**
 * Removes the file of a step.
 *
 * @throws `NotDone`, or the error of the file system
 */
export function removeFile(dir: ProjectDir, step: Step, draft: string): void {
  if (isAsPlanned(dir, step) === "done") return;
  const name = nameOf(step.path);
  const aside = asideOf(draft);
  // Whatever is there at this moment is moved, and then looked at.
  dir.rename(name, aside);
  if (isSameFile(asFile(fileAt(dir, aside)), step.from)) dir.remove(aside);
  else {
    putBack(dir, aside, name);
    throw new NotDone("just_now");
  }
}

/** Ends a step that a host which died was in the middle of. */
export function settle(dir: ProjectDir, step: Step, draft: string): void {
  dir.remove(draft);
  const aside = asideOf(draft);
  const left = fileAt(dir, aside);
  if (left === undefined) return;
  const name = nameOf(step.path);
  const here = fileAt(dir, name);
  if (isSameFile(asFile(left), step.from)) dir.remove(aside);
  // Somebody wrote into it while it was replaced.
  else if (here === undefined) putBack(dir, aside, name);
  else if (isSameFile(asFile(here), step.to)) dir.rename(aside, name);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function asideOf(draft: string): string {
  return `${draft}.old`;
}

/** Gives the draft its name, unless something has it by now. */
function placeNew(dir: ProjectDir, draft: string, name: string): void {
  if (addName(dir, draft, name)) return;
  if (dir.stat(name) !== undefined) throw new NotDone("just_now");
  dir.rename(draft, name);
}

/** The old file keeps a name until the new one has its place, so that nothing written into it is lost. */
function replace(dir: ProjectDir, step: Step, draft: string): void {
  const name = nameOf(step.path);
  const aside = asideOf(draft);
  const hasAside = addName(dir, name, aside);
  try {
    // Again: writing takes longer than looking.
    if (isAsPlanned(dir, step) === "done") return;
    dir.rename(draft, name);
    if (!hasAside || isSameFile(asFile(fileAt(dir, aside)), step.from)) return;
    dir.rename(aside, name);
    throw new NotDone("just_now");
  } finally {
    if (hasAside) dir.remove(aside);
  }
}

/** Says whether the file system can do that. */
function addName(dir: ProjectDir, from: string, to: string): boolean {
  try {
    dir.addName(from, to);
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") throw new NotDone("just_now", { cause });
    if (!NO_SECOND_NAME.has(codeOf(cause))) throw cause;
    return false;
  }
}

/** Where something new has the name, what was moved aside stays there. */
function putBack(dir: ProjectDir, aside: string, name: string): void {
  if (dir.stat(name) === undefined) dir.rename(aside, name);
}

/**
 * Whether the file is as before the step, or as after it.
 *
 * @throws `NotDone` where it is neither.
 */
function isAsPlanned(dir: ProjectDir, { path, from, to }: Step): "ready" | "done" {
  const here = fileAt(dir, nameOf(path));
  // A directory in the place of a file that was to go: it is gone.
  if (here === "other" && to === undefined) return "done";
  if (here === "other") throw new NotDone("in_the_way");
  if (isSameFile(here, to)) return "done";
  if (isSameFile(here, from)) return "ready";
  throw new NotDone("just_now");
}

/** A file or link as it would be recorded; "other" for a directory and the like. */
function fileAt(dir: ProjectDir, name: string): TreeFile | undefined | "other" {
  const stats = dir.stat(name);
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) {
    const target = dir.link(name);
    return target === undefined ? "other" : { kind: "120000", oid: oidOf(bytesOf(target)) };
  }
  const read = dir.read(name, MAX_BYTES);
  if (read === undefined) return "other";
  return { kind: kindOf(read.stats), oid: oidOf(read.content) };
}

function asFile(file: TreeFile | undefined | "other"): TreeFile | undefined {
  return file === "other" ? undefined : file;
}

/** Never more than the permissions of ordinary users: the record is the agent's word. */
function modeOf({ mode }: Step, { kind }: TreeFile): number {
  return mode === undefined ? (kind === "100755" ? 0o777 : 0o666) & ~process.umask() : mode & 0o777;
}
