import { closeSync, lstatSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { lockPath } from "../chat/file/index.ts";
import { codeOf } from "../error-code.ts";
import { inPlace, openPlace } from "../place.ts";
import { messageOf } from "./messages.ts";
import type { Pace } from "./pace.ts";
import type { Place } from "./places.ts";

/** A file that may be a conversation. */
export type ListedFile = {
  readonly place: Place;
  readonly name: string;
  readonly path: string;
  readonly mtimeMs: number;
  /** Of the last change of any kind, such as a rename that kept the time of the last write. */
  readonly ctimeMs: number;
  readonly size: number;
  /** Whether it has a lock. */
  readonly hasLock: boolean;
};

/** Files, the one written last first, and what could not be listed. */
export type Listing = { readonly files: ListedFile[]; readonly problems: string[] };

/** How many entries of a directory are looked at. */
const MAX_ENTRIES = 100_000;

/** The files of these places; a place that does not exist is empty. */
export async function listFiles(
  places: readonly Place[],
  stateDir: string,
  pace: Pace,
): Promise<Listing> {
  const files: ListedFile[] = [];
  const problems: string[] = [];
  for (const place of places) {
    try {
      await listPlace(place, stateDir, files, problems, pace);
    } catch (cause) {
      if (codeOf(cause) !== "ENOENT") problems.push(messageOf(cause, place.dir));
    }
  }
  const order = new Map(places.map((place, index) => [place, index]));
  files.sort(
    (a, b) =>
      b.mtimeMs - a.mtimeMs ||
      (a.name < b.name ? 1 : a.name > b.name ? -1 : 0) ||
      (order.get(a.place) ?? 0) - (order.get(b.place) ?? 0),
  );
  return { files, problems };
}

async function listPlace(
  place: Place,
  stateDir: string,
  files: ListedFile[],
  problems: string[],
  pace: Pace,
): Promise<void> {
  const fd = openPlace(place.dir, { trusted: stateDir });
  try {
    const entries = readdirSync(`/proc/self/fd/${fd}/.`);
    if (entries.length > MAX_ENTRIES)
      problems.push(`${place.dir} has more than ${MAX_ENTRIES} files; move some of them away`);
    const names = entries.slice(0, MAX_ENTRIES);
    const hasLock = lockedIn(place, names, stateDir);
    let odd = 0;
    for (const name of names) {
      if (!name.endsWith(".md") || name.startsWith(".")) continue;
      if (pace.isDue) await pace.rest();
      const stat = lstatSync(inPlace(fd, name), { throwIfNoEntry: false });
      if (stat === undefined && name.includes("\ufffd")) odd += 1;
      if (stat?.isFile() !== true) continue;
      files.push({
        place,
        name,
        path: `${place.dir}/${name}`,
        mtimeMs: stat.mtimeMs,
        ctimeMs: stat.ctimeMs,
        size: stat.size,
        hasLock: hasLock(name),
      });
    }
    if (odd > 0)
      problems.push(`${place.dir} has ${odd} files whose names are not valid UTF-8: rename them`);
  } finally {
    closeSync(fd);
  }
}

/** Tells which files of a place have a lock. Reads the directory of the locks once. */
function lockedIn(
  place: Place,
  names: readonly string[],
  stateDir: string,
): (name: string) => boolean {
  if (place.dir.startsWith(`${stateDir}/`)) {
    const locks = new Set(names.filter((name) => name.endsWith(".md.lock")));
    return (name) => locks.has(`${name}.lock`);
  }
  const locks = new Set(locksOf(stateDir));
  if (locks.size === 0) return () => false;
  return (name) => locks.has(basename(lockPath(`${place.dir}/${name}`, stateDir)));
}

function locksOf(stateDir: string): readonly string[] {
  try {
    return readdirSync(`${stateDir}/locks`).filter((name) => name.endsWith(".lock"));
  } catch {
    // No conversation outside of the state directory is open.
    return [];
  }
}
