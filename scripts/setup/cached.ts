import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { takeLock } from "../../src/sandbox/locks/machine-lock.ts";
import { lockDir } from "./paths.ts";

/** The file that says what a cached directory was made from; written last, it means "complete". */
const STAMP = ".made-from";

/**
 * Returns `dir`, made by `make` unless it was made from the same `recipe` before.
 *
 * `make` fills a directory beside it, which is renamed when complete, so an interruption leaves
 * nothing half-done. Of several processes one makes it and the others wait.
 */
export async function cached(
  dir: string,
  recipe: string,
  make: (partial: string) => Promise<void>,
): Promise<string> {
  if (await isMadeFrom(dir, recipe)) return dir;
  using _lock = await takeLock({ dir: lockDir, name: `cached ${dir}` });
  if (await isMadeFrom(dir, recipe)) return dir;
  const parent = dirname(dir);
  const prefix = `.partial-${basename(dir)}-`;
  await mkdir(parent, { recursive: true });
  // Left by an interrupted run: the lock says that nobody works in it.
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const partial = join(parent, `${prefix}${process.pid}`);
  const outdated = `${partial}-outdated`;
  await mkdir(partial);
  try {
    await make(partial);
    await writeFile(join(partial, STAMP), recipe);
    // Programs that run from the old one keep their open files.
    await rename(dir, outdated).catch(ignoreMissing);
    await rename(partial, dir);
  } finally {
    await rm(partial, { recursive: true, force: true });
    await rm(outdated, { recursive: true, force: true });
  }
  return dir;
}

async function isMadeFrom(dir: string, recipe: string): Promise<boolean> {
  try {
    return (await readFile(join(dir, STAMP), "utf8")) === recipe;
  } catch {
    return false;
  }
}

function ignoreMissing(cause: unknown): void {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
}
