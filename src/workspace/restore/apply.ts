import { codeOf } from "../../error-code.ts";
import { bytesOf, joined, parentOf } from "../byte-path.ts";
import { isSameFile, oidOf, type TreeFile } from "../checkpoints/index.ts";
import { ProjectDir } from "../project-dir.ts";
import type { Conflict, ConflictReason, Plan, Step } from "./change.ts";

/** Where steps are done, and with which contents. */
export type ApplyOptions = {
  /** The project's resolved root, as bytes. */
  readonly root: string;
  /** The contents of all files that are written. */
  readonly contents: ReadonlyMap<string, Buffer>;
  /** The beginning of the names of files that are being written; no other file has it. */
  readonly draft: string;
};

/** What was done, and what was not. */
export type Applied = {
  readonly done: readonly Step[];
  readonly conflicts: readonly Conflict[];
};

/** Larger than any file that is recorded, so that one that has grown is another one. */
const MAX_BYTES = 16 * 1024 ** 2;

/** What was to be written and met something else. */
class NotDone extends Error {
  readonly why: ConflictReason;

  constructor(why: ConflictReason) {
    super(why);
    this.why = why;
  }
}

/**
 * Writes and removes files, each only if it is still as the plan says. A step that was done already
 * is done.
 *
 * SECURITY: the agent may change anything meanwhile; every file is reached through open directories
 * (see `ProjectDir`), and a link is replaced, never followed.
 */
export async function applyPlan(
  { steps, makeDirs, removeDirs }: Pick<Plan, "steps" | "makeDirs" | "removeDirs">,
  options: ApplyOptions,
): Promise<Applied> {
  const done: Step[] = [];
  const conflicts: Conflict[] = [];
  // Removed first: a directory may come in the place of a file, or the other way round.
  const order = [...steps].sort((one, other) => Number(isMade(one)) - Number(isMade(other)));
  for (const step of order.filter((one) => !isMade(one))) attempt(step, options, done, conflicts);
  for (const dir of removeDirs) quietly(() => removeDir(options.root, dir));
  for (const [index, step] of order.filter(isMade).entries()) {
    attempt(step, options, done, conflicts, `${options.draft}${index}`);
    // Other work of the host goes on between two files.
    await new Promise(setImmediate);
  }
  for (const dir of makeDirs) quietly(() => openDir(options.root, dir, true)?.[Symbol.dispose]());
  return { done, conflicts };
}

/** Removes what a host that died has left half-written. */
export function removeDrafts(steps: readonly Step[], { root, draft }: ApplyOptions): void {
  for (const dir of new Set(steps.map(({ path }) => parentOf(path)))) {
    quietly(() => {
      using open = openDir(root, dir, false);
      for (const { name } of open?.entries() ?? []) if (name.startsWith(draft)) open?.remove(name);
    });
  }
}

function attempt(
  step: Step,
  options: ApplyOptions,
  done: Step[],
  conflicts: Conflict[],
  draft?: string,
): void {
  const { path, from: mine, to: wanted } = step;
  try {
    if (draft === undefined) remove(step, options);
    else write(step, options, draft);
    done.push(step);
  } catch (thrown) {
    const code = codeOf(thrown);
    if (thrown instanceof NotDone) conflicts.push({ path, why: thrown.why, mine, wanted });
    else if (code === "unknown") throw thrown;
    else conflicts.push({ path, why: "failed", mine, wanted, code });
  }
}

function remove(step: Step, { root }: ApplyOptions): void {
  using dir = openDir(root, parentOf(step.path), false);
  if (dir === undefined) return;
  if (isAsPlanned(dir, step) === "done") return;
  dir.remove(nameOf(step.path));
  dir.sync();
}

function write(step: Step, { root, contents }: ApplyOptions, draft: string): void {
  const { path, to } = step;
  const content = contents.get(to?.oid ?? "");
  if (to === undefined || content === undefined) throw new NotDone("failed");
  using dir = openDir(root, parentOf(path), true);
  if (dir === undefined) throw new NotDone("in_the_way");
  if (isAsPlanned(dir, step) === "done") return;
  dir.remove(draft);
  if (to.kind === "120000") dir.createLink(draft, content.toString("latin1"));
  else dir.create(draft, content, modeOf(dir, step, to));
  try {
    // Again: writing takes longer than looking.
    if (isAsPlanned(dir, step) === "ready") dir.rename(draft, nameOf(path));
  } finally {
    dir.remove(draft);
  }
  dir.sync();
}

/**
 * Whether the file is as before the step, or as after it.
 *
 * @throws `NotDone` where it is neither.
 */
function isAsPlanned(dir: ProjectDir, { path, from, to }: Step): "ready" | "done" {
  const here = fileAt(dir, nameOf(path));
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
  const kind = (read.stats.mode & 0o100) === 0 ? "100644" : "100755";
  return { kind, oid: oidOf(read.content) };
}

/** The permissions of a new file: those of the one that it replaces, those on record, or the usual ones. */
function modeOf(dir: ProjectDir, { path, mode }: Step, to: TreeFile): number {
  const isProgram = to.kind === "100755";
  const was = dir.stat(nameOf(path));
  if (was?.isFile()) {
    const bits = was.mode & 0o777;
    // Whoever may read a program may run it.
    return isProgram ? bits | ((bits & 0o444) >> 2) : bits & ~0o111;
  }
  return mode ?? (isProgram ? 0o777 : 0o666) & ~process.umask();
}

/** A directory of the project; undefined if a file is in its place, or it is absent and not to be made. */
function openDir(root: string, path: string, make: boolean): ProjectDir | undefined {
  const open = ProjectDir.open(joined(root, path));
  if (open !== undefined || path === "" || !make) return open;
  using above = openDir(root, parentOf(path), true);
  above?.makeDir(nameOf(path));
  return ProjectDir.open(joined(root, path));
}

function removeDir(root: string, path: string): void {
  using above = openDir(root, parentOf(path), false);
  above?.removeEmptyDir(nameOf(path));
}

/** A directory that cannot be made or removed changes no file. */
function quietly(run: () => void): void {
  try {
    run();
  } catch (thrown) {
    if (codeOf(thrown) === "unknown") throw thrown;
  }
}

function isMade({ to }: Step): boolean {
  return to !== undefined;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
