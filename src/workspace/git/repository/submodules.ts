import { join } from "node:path";
import { isGitDir } from "../../../git-layout.ts";
import { entriesOf, statsAt } from "../../../look.ts";

/** How deep names of submodules go, which may have slashes, and how many there may be. */
const MAX_DEPTH = 6;
const MAX_SUBMODULES = 100;

/**
 * Finds the git directories of a repository's submodules, as names below `modules` in its own;
 * those of submodules of submodules are among them.
 *
 * Rejects with `LookError`.
 */
export async function findSubmodules(gitDir: string): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  const look = async (names: readonly string[], depth: number): Promise<void> => {
    if (depth > MAX_DEPTH || found.length >= MAX_SUBMODULES) return;
    // SECURITY: an agent that made the repository may have put a link to the user's files here.
    const top = await statsAt(join(gitDir, ...names));
    if (top?.isDirectory() !== true) return;
    for (const entry of (await entriesOf(join(gitDir, ...names))) ?? []) {
      if (!entry.isDirectory()) continue;
      const inner = [...names, entry.name];
      if (!(await isGitDir(join(gitDir, ...inner)))) await look(inner, depth + 1);
      else {
        found.push(inner);
        await look([...inner, "modules"], depth + 1);
      }
    }
  };
  await look(["modules"], 0);
  return found;
}
