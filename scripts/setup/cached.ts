import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { withLock } from "../lock.mjs";

/** The file that says what a cached directory was made from; written last, so it means "whole". */
const STAMP = ".made-from";

/**
 * Returns `dir`, made by `make` unless it was made from the same `recipe` before.
 *
 * `make` fills a directory beside it that is renamed when whole, so an interruption leaves
 * nothing half-done; of several processes one makes it and the others wait.
 */
export async function cached(
  dir: string,
  recipe: string,
  make: (partial: string) => Promise<void>,
): Promise<string> {
  if (await isMadeFrom(dir, recipe)) return dir;
  return await withLock(`cached:${dir}`, async () => {
    if (await isMadeFrom(dir, recipe)) return dir;
    const parent = dirname(dir);
    const prefix = `.partial-${basename(dir)}-`;
    await mkdir(parent, { recursive: true });
    // Whatever an interrupted run left: the lock says that nobody works in it.
    for (const name of await readdir(parent)) {
      if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
    }
    const partial = join(parent, `${prefix}${process.pid}`);
    await mkdir(partial);
    try {
      await make(partial);
      await writeFile(join(partial, STAMP), recipe);
      await rm(dir, { recursive: true, force: true });
      await rename(partial, dir);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return dir;
  });
}

async function isMadeFrom(dir: string, recipe: string): Promise<boolean> {
  try {
    return (await readFile(join(dir, STAMP), "utf8")) === recipe;
  } catch {
    return false;
  }
}
