/** Git directories by their layout, for everything that must know one when it sees one. */

import { join } from "node:path";
import { statsAt } from "./look.ts";

/**
 * Whether a directory is a git directory, as git itself makes them: HEAD is a file, and objects and
 * refs are directories. A link in the place of one of them is not trusted.
 *
 * Rejects with `LookError`.
 */
export async function isGitDir(path: string): Promise<boolean> {
  const [head, objects, refs] = await Promise.all(
    ["HEAD", "objects", "refs"].map((name) => statsAt(join(path, name))),
  );
  return head?.isFile() === true && objects?.isDirectory() === true && refs?.isDirectory() === true;
}
