import { directoriesAbove, outermost, parentDirsOf } from "../git/index.ts";

/** gVisor hands each mount's files over in one message, which holds 253 (Linux's SCM_MAX_FD). */
export const MAX_MOUNTS = 180;

/**
 * Keeps the number of mounts within what the runtime can do: where there are more, the directories
 * with the most protected places in them are read-only as a whole. Undefined where that is not enough.
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
      `${most} is read-only as a whole: it has ${count} places in it that must be protected, more than can be mounted one by one.`,
    );
  }
  return { names, notes };
}
