/** Files that the host runs because a protected file names them or is a link to them. */

import { basename, dirname, join } from "node:path";
import { readSmallFile, realPathOf, statsAt } from "../../look.ts";
import { contains } from "../../paths.ts";
import { filesNamedBy } from "../git/index.ts";
import type { PathKind, ProtectedPath } from "../guard/index.ts";
import { linkedFrom } from "../links.ts";

const START_UP = [".envrc", ".nvim.lua", ".exrc", ".nvimrc"] as const;
const MAX_START_UP_BYTES = 64 * 1024;

/** The targets of links in protected directories, such as a hook in .husky that is a link to a script. */
export async function linksOf(
  root: string,
  protectedPaths: readonly ProtectedPath[],
): Promise<{ readonly ends: readonly string[]; readonly notes: readonly string[] }> {
  const [ends, notes] = [new Set<string>(), new Set<string>()];
  const isInside = (path: string) => contains(root, path);
  for (const { name, kind } of protectedPaths) {
    // Links in git's own directory are followed where git is asked (trusted-paths.ts).
    if (kind !== "directory" || name === ".git") continue;
    const found = await linkedFrom(root, join(root, name), isInside);
    for (const end of found.ends) if (!end.startsWith(".git/")) ends.add(end);
    for (const link of found.links)
      notes.add(
        `A link in ${name} leads through ${link}, another link, which the agent can change.`,
      );
  }
  return { ends: [...ends], notes: [...notes] };
}

/** The files that start-up files such as .envrc run, and notes about those that are absent. */
export async function sourcedBy(
  root: string,
  paths: readonly ProtectedPath[],
): Promise<{ readonly names: readonly string[]; readonly notes: readonly string[] }> {
  const [names, notes] = [new Set<string>(), new Set<string>()];
  for (const { name, kind } of paths) {
    const base = START_UP.find((file) => file === basename(name));
    if (kind !== "file" || base === undefined) continue;
    const text = await readSmallFile(join(root, name), MAX_START_UP_BYTES);
    for (const file of filesNamedBy(base, text ?? "").files) {
      const path = join(dirname(name), file);
      const at = await kindAt(root, path);
      if (at === "file" || at === "directory") names.add(path);
      else
        notes.add(
          `${name} runs ${path}, which is absent or a link: the agent can create or change it.`,
        );
    }
  }
  return { names: [...names].filter((name) => !name.startsWith(".git/")), notes: [...notes] };
}

/** What is at a name below the root; `other` if the way to it has a link. */
export async function kindAt(root: string, name: string): Promise<PathKind> {
  const path = join(root, name);
  const stats = await statsAt(path);
  if (stats === undefined) return undefined;
  if ((await realPathOf(path)) !== path) return "other";
  return stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
}
