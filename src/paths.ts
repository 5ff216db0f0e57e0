import { realpathSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";

/** Whether `inner` lies strictly within `outer`; both are resolved paths. */
export function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

/** Whether `inner` is `outer` or lies in it; both are resolved paths. */
export function isWithin(outer: string, inner: string): boolean {
  return outer === inner || contains(outer, inner);
}

/** Resolves links in as much of the path as exists. */
export async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await resolved(parent), path.slice(parent.length));
  }
}

/** The path without links in it; the path itself if it leads to nothing. */
export function resolvedOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
