import { readlink } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { realPathOf, statsAt } from "../../look.ts";

/** As many links as Linux follows. */
const MAX_LINKS = 40;

/**
 * Whether the agent could have written what lies at this path, or decides where it leads: whether
 * any step on the way there lies in one of the places. What cannot be looked at counts as if.
 */
export async function isInReach(path: string, places: readonly string[]): Promise<boolean> {
  try {
    const real = await Promise.all(places.map(realOrItself));
    const all = [...places, ...real];
    return await leadsThrough(path, (step) => all.some((it) => isWithin(it, step)));
  } catch {
    return true;
  }
}

/**
 * Whether the way to a path leads through a link that lies in one of the places, which the agent can
 * then have lead anywhere. What cannot be looked at counts as if.
 */
export async function isLinkInReach(path: string, places: readonly string[]): Promise<boolean> {
  try {
    const real = await Promise.all(places.map(realOrItself));
    const all = [...places, ...real];
    const isThere = (step: string) => all.some((it) => isWithin(it, step));
    return await leadsThrough(path, () => false, isThere);
  } catch {
    return true;
  }
}

async function leadsThrough(
  path: string,
  isThere: (step: string) => boolean,
  isLinkThere: (link: string) => boolean = () => false,
): Promise<boolean> {
  const rest = stepsOf(path);
  let at: string = sep;
  let links = 0;
  if (isThere(path)) return true;
  for (let step = rest.shift(); step !== undefined; step = rest.shift()) {
    const next = step === ".." ? dirname(at) : join(at, step);
    if (isThere(next)) return true;
    const found = await statsAt(next);
    if (found === undefined) return false;
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS || isLinkThere(next)) return true;
    const target = await readlink(next);
    if (isAbsolute(target)) at = sep;
    rest.unshift(...stepsOf(target));
  }
  return false;
}

function stepsOf(path: string): string[] {
  return path.split(sep).filter((it) => it !== "" && it !== ".");
}

async function realOrItself(place: string): Promise<string> {
  return (await realPathOf(place)) ?? place;
}

function isWithin(outer: string, inner: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
