import { readlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { entriesOf, lookOutside, present, statsAt } from "./look.ts";

/** More links than this in one path are a loop, as for Linux. */
const MAX_LINKS = 40;
/** How many entries of a protected directory are looked at. */
const MAX_ENTRIES = 500;

/** Where a path leads to. */
export type LinkTarget = {
  /** The links on the way that lie in the project: the agent can replace them. */
  readonly links: readonly string[];
  /** What the path leads to in the end, without links; undefined where that is nothing. */
  readonly end: string | undefined;
};

/**
 * Follows an absolute path link by link. What lies outside of the project and cannot be looked at
 * counts as nothing: neither the agent nor the user's git gets in.
 *
 * Rejects with `LookError`.
 */
export async function followLinks(
  path: string,
  isInside: (path: string) => boolean,
): Promise<LinkTarget> {
  const links: string[] = [];
  const rest = path.split("/");
  let at = "/";
  let count = 0;
  while (rest.length > 0) {
    const part = rest.shift() ?? "";
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, part);
    // The directories above the project are on the way to all that is in it.
    const isOurs = isInside(next) || (count === 0 && isInside(path));
    const stats = await (isOurs ? statsAt(next) : lookOutside(statsAt(next)));
    if (stats === undefined) return { links, end: undefined };
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (isInside(next)) links.push(next);
    const target = await present(next, () => readlink(next));
    if (target === undefined || ++count > MAX_LINKS) return { links, end: undefined };
    rest.unshift(...target.split("/"));
    if (target.startsWith("/")) at = "/";
  }
  return { links, end: at };
}

/**
 * Finds the files of the project that links in a directory lead to, such as hooks that are links
 * to scripts. `name` is relative to the project; the directory may be gone.
 *
 * Rejects with `LookError`.
 */
export async function linkedFrom(
  root: string,
  directory: string,
  isInside: (path: string) => boolean,
): Promise<{ readonly ends: readonly string[]; readonly links: readonly string[] }> {
  const [ends, links] = [new Set<string>(), new Set<string>()];
  const todo = [directory];
  for (let left = MAX_ENTRIES; todo.length > 0 && left > 0; ) {
    const dir = todo.shift() ?? "";
    const look = entriesOf(dir);
    for (const entry of (await (isInside(dir) ? look : lookOutside(look))) ?? []) {
      if (left-- <= 0) break;
      const path = join(dir, entry.name);
      if (entry.isDirectory()) todo.push(path);
      if (!entry.isSymbolicLink()) continue;
      const way = await followLinks(path, isInside);
      if (way.end !== undefined && isInside(way.end)) ends.add(relative(root, way.end));
      // The first one lies in what is read-only.
      for (const link of way.links) if (link !== path) links.add(relative(root, link));
    }
  }
  return { ends: [...ends], links: [...links] };
}
