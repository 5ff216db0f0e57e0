import { closeSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { removeFile, writeNew } from "../atomic-write.ts";
import { pictureStem } from "../chat/format/head/index.ts";
import { inPlace, openPlace, openPlain } from "../place.ts";

/** The largest picture that src/session/document/images.ts keeps. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Puts copies of a conversation's pictures beside its new place, where its text looks for them. They
 * stay in the old one, too: a fork of the conversation shows them from there.
 */
export function bringPictures(path: string, to: string, stateDir: string): void {
  const from = `${dirname(path)}/images`;
  within(from, stateDir, (fd, names) => {
    for (const name of names.filter((each) => isPictureOf(path, each))) {
      try {
        const picture = openPlain(inPlace(fd, name), `${from}/${name}`);
        try {
          if (picture.stat.size > MAX_BYTES) continue;
          const bytes = readFileSync(picture.fd);
          writeNew(`${to}/images/${name}`, bytes, { trusted: stateDir, make: true });
        } finally {
          closeSync(picture.fd);
        }
      } catch {
        // A link of the agent's, or one that is there already: the text shows without it.
      }
    }
  });
}

/** Removes a conversation's pictures, unless a fork of it shows them, too. */
export async function removePictures(path: string, stateDir: string): Promise<void> {
  const dir = dirname(path);
  const top = basename(dir) === "archive" ? dirname(dir) : dir;
  const places = [top, `${top}/archive`];
  const fork = `${basename(path, ".md")}-fork`;
  for (const place of places)
    if (namesIn(place, stateDir).some((name) => name.startsWith(fork))) return;
  for (const place of places)
    for (const name of namesIn(`${place}/images`, stateDir).filter((picture) =>
      isPictureOf(path, picture),
    ))
      await removeFile(`${place}/images/${name}`, { trusted: stateDir }).catch(() => undefined);
}

function isPictureOf(path: string, name: string): boolean {
  const stem = pictureStem(path);
  return name.startsWith(stem) && /^-\d+\.[a-z]+$/i.test(name.slice(stem.length));
}

function namesIn(dir: string, stateDir: string): readonly string[] {
  let found: readonly string[] = [];
  within(dir, stateDir, (_, names) => {
    found = names;
  });
  return found;
}

/** Calls `use` with a directory's descriptor and its names; not where there is no such directory. */
function within(
  dir: string,
  stateDir: string,
  use: (fd: number, names: readonly string[]) => void,
): void {
  let fd: number;
  try {
    fd = openPlace(dir, { trusted: stateDir });
  } catch {
    return;
  }
  try {
    use(fd, readdirSync(`/proc/self/fd/${fd}/.`));
  } finally {
    closeSync(fd);
  }
}
