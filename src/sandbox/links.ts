import { readlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { entriesOf, lookOutside, present, statsAt } from "../look.ts";

/** As many links in one path as Linux follows; more are a loop. */
const MAX_LINKS = 40;
/** How many entries of a protected directory are looked at. */
const MAX_ENTRIES = 500;

/** What stands at one name on the way along a path. */
type Step = {
  readonly path: string;
  readonly is: "absent" | "link" | "other";
};

/** How a way ends: at a path without links in it, at nothing, in a loop, or where it was stopped. */
export type WayEnd =
  | { readonly is: "found"; readonly path: string }
  | { readonly is: "absent" | "loop" | "stopped" };

/** How a path is walked along. */
export type WalkOptions = {
  /** Whether to go on past this step. */
  readonly goesOn: (step: Step) => boolean;
  /** Whether a step that is closed to this user counts as absent; `links` were followed so far. */
  readonly isOutside?: (path: string, links: number) => boolean;
};

/**
 * Walks along an absolute path name by name and follows each link, as the kernel does.
 *
 * Rejects with `LookError`.
 */
export async function walkPath(
  path: string,
  { goesOn, isOutside = () => false }: WalkOptions,
): Promise<WayEnd> {
  const rest = path.split("/");
  let at = "/";
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, name);
    const look = statsAt(next);
    const stats = await (isOutside(next, links) ? lookOutside(look) : look);
    const isLink = stats?.isSymbolicLink() === true;
    const is = stats === undefined ? "absent" : isLink ? "link" : "other";
    if (!goesOn({ path: next, is })) return { is: "stopped" };
    if (is === "absent") return { is };
    if (!isLink) {
      at = next;
      continue;
    }
    const target = await present(next, () => readlink(next));
    if (target === undefined) return { is: "absent" };
    if (++links > MAX_LINKS) return { is: "loop" };
    rest.unshift(...target.split("/"));
    if (target.startsWith("/")) at = "/";
  }
  return { is: "found", path: at };
}

/** Where a path leads to. */
export type LinkTarget = {
  /** The links on the way that lie in the project: the agent can replace them. */
  readonly links: readonly string[];
  /** What the path leads to in the end, without links; undefined where that is nothing. */
  readonly end: string | undefined;
};

/**
 * Follows an absolute path link by link. A step outside of the project that is closed to this user
 * counts as nothing: neither the agent nor the user's git gets in.
 *
 * Rejects with `LookError`.
 */
export async function followLinks(
  path: string,
  isInside: (path: string) => boolean,
): Promise<LinkTarget> {
  const links: string[] = [];
  const end = await walkPath(path, {
    goesOn: (step) => {
      if (step.is === "link" && isInside(step.path)) links.push(step.path);
      return true;
    },
    // The directories above the project are on the way to all that is in it.
    isOutside: (step, count) => !isInside(step) && (count > 0 || !isInside(path)),
  });
  return { links, end: end.is === "found" ? end.path : undefined };
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
