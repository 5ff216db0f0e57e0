import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** How deep names of submodules go, which may have slashes, and how many there may be. */
const MAX_DEPTH = 6;
const MAX_SUBMODULES = 100;

/**
 * Finds the git directories of a repository's submodules, as names below `modules` in its own;
 * those of submodules of submodules are among them.
 */
export async function findSubmodules(gitDir: string): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  const look = async (names: readonly string[], depth: number): Promise<void> => {
    if (depth > MAX_DEPTH || found.length >= MAX_SUBMODULES) return;
    // SECURITY: an agent that has made the repository may have put a link to all of the user's here.
    const top = await lstat(join(gitDir, ...names)).catch(() => undefined);
    if (top?.isDirectory() !== true) return;
    const entries = await readdir(join(gitDir, ...names), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
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

async function isGitDir(path: string): Promise<boolean> {
  const kinds = await Promise.all(
    ["HEAD", "objects", "refs"].map((name) => lstat(join(path, name)).catch(() => undefined)),
  );
  return (
    kinds[0]?.isFile() === true &&
    kinds[1]?.isDirectory() === true &&
    kinds[2]?.isDirectory() === true
  );
}
