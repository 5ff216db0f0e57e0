import { directoriesAbove, outermost, parentDirsOf } from "../git/index.ts";

/** gVisor passes the descriptors of all mounts in one message of at most 253 (Linux's SCM_MAX_FD). */
export const MAX_MOUNTS = 180;

/**
 * Keeps the number of mounts within the runtime's limit: the directories with the most protected
 * paths become read-only as a whole. Undefined if that is not enough.
 */
export function foldMounts(
  all: readonly string[],
): { readonly names: readonly string[]; readonly notes: readonly string[] } | undefined {
  let names = [...all];
  const notes: string[] = [];
  while (names.length + parentDirsOf(names).length > MAX_MOUNTS) {
    const counts = new Map<string, number>();
    for (const name of names)
      for (const above of directoriesAbove(name)) counts.set(above, (counts.get(above) ?? 0) + 1);
    const [most, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
    if (most === undefined || count === undefined || count < 2) return undefined;
    names = outermost([...names, most]);
    notes.push(
      `${most} is read-only as a whole: ${count} paths in it must be protected, more than can be mounted one by one.`,
    );
  }
  return { names, notes };
}
