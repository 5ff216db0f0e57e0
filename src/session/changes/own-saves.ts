import { randomBytes } from "node:crypto";
import { realpath, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { kindOf, oidOf, type TreeFile } from "../../workspace/checkpoints/index.ts";
import { bytePath, ProjectDir } from "../../workspace/index.ts";
import type { ProjectChanges } from "./project-changes.ts";

/** A file of the project that the user has saved, and a copy of it from before, if there was one. */
type Save = { readonly path: string; readonly before?: string | undefined };

/** A larger file is not recorded. */
const MAX_BYTES = 10 * 1024 ** 2;

type Read = { readonly file: TreeFile; readonly content: Buffer };

/**
 * Records that a change which came while a turn ran is the user's: neither a list of Codex's changes nor
 * an undo has it.
 */
export async function noteSave(changes: ProjectChanges, save: Save): Promise<void> {
  const start = await changes.runningSince();
  const root = await realpath(changes.root);
  if (start !== undefined && save.path.startsWith(`${root}/`)) {
    const path = bytePath(save.path.slice(root.length + 1));
    const before = save.before === undefined ? undefined : readFile(save.before);
    const after = readFile(save.path);
    // The copy has its own permissions; those of the file are the user's as well.
    const mode = after?.file.mode;
    const from = await withFile(
      ...([changes, start, path] as const),
      before && { ...before, file: { ...before.file, mode } },
    );
    const to = await withFile(changes, start, path, after);
    if (from !== undefined && to !== undefined && from !== to)
      await changes.log.settle({
        ...{ id: randomBytes(8).toString("hex"), why: "own", atMs: Date.now(), from, to },
      });
  }
  if (save.before !== undefined) await rm(save.before, { force: true });
}

async function withFile(
  changes: ProjectChanges,
  start: string,
  path: string,
  read: Read | undefined,
): Promise<string | undefined> {
  const contents = read === undefined ? [] : [read.content];
  const derived = await changes.derive(start, new Map([[path, read?.file]]), contents);
  return derived.ok ? derived.value : undefined;
}

/** A file as it would be recorded; undefined for none, and for one that would not be. */
function readFile(path: string): Read | undefined {
  try {
    using dir = ProjectDir.open(bytePath(dirname(path)));
    const read = dir?.read(bytePath(basename(path)), MAX_BYTES + 1);
    if (read === undefined || read.content.length > MAX_BYTES) return undefined;
    const { content, stats } = read;
    const mode = stats.mode & 0o777;
    return { file: { kind: kindOf(stats), mode, oid: oidOf(content) }, content };
  } catch {
    return undefined;
  }
}
