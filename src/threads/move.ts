import { closeSync, linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { codeOf } from "../error-code.ts";
import { inPlace, notPlain, openPlace } from "../place.ts";

/** How many names are tried. */
const MAX_NAMES = 1000;

/**
 * Moves a plain file into another directory, under a name that nothing there has, so that nothing is
 * ever overwritten. Gives its new path.
 *
 * SECURITY: in a project the agent may have put a link in the place of either directory, to have files
 * moved elsewhere: both are reached through no link.
 *
 * @throws the error of the file system, and where it is not a plain file.
 */
export function moveFile(path: string, to: string, stateDir: string): string {
  const from = openPlace(dirname(path), { trusted: stateDir });
  try {
    const source = inPlace(from, basename(path));
    const stat = lstatSync(source);
    if (!stat.isFile()) throw notPlain(path, stat.isSymbolicLink());
    const target = openPlace(to, { trusted: stateDir, make: true });
    try {
      const stem = basename(path, ".md");
      for (let n = 1; n <= MAX_NAMES; n += 1) {
        const name = n === 1 ? `${stem}.md` : `${stem}-${n}.md`;
        if (put(source, inPlace(target, name))) return `${to}/${name}`;
      }
      throw new Error(`${to} has ${MAX_NAMES} files of this name`);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(from);
  }
}

/** False where something has the name. */
function put(source: string, target: string): boolean {
  try {
    linkSync(source, target);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
    // A file system without hard links.
    renameSync(source, target);
    return true;
  }
  unlinkSync(source);
  return true;
}
