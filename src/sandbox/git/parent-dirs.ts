import { sep } from "node:path";

/** The names that do not lie below another one of them. */
export function outermost(names: readonly string[]): string[] {
  const all = new Set(names);
  return [...all].filter((name) => !directoriesAbove(name).some((above) => all.has(above)));
}

/** The parent directories of names; they are mounted as well, so that they cannot be renamed. */
export function parentDirsOf(names: readonly string[]): string[] {
  return [...new Set(names.flatMap(directoriesAbove))].sort();
}

/** The parent directories of a name: `a` and `a/b` for `a/b/c`. */
export function directoriesAbove(name: string): string[] {
  const parts = name.split(sep);
  return parts.slice(1).map((_, n) => parts.slice(0, n + 1).join(sep));
}
