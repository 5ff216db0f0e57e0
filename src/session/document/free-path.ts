import { lstat } from "node:fs/promises";
import { join } from "node:path";

/**
 * A path that nothing has yet; undefined after too many of the same name, and where it cannot be
 * told.
 */
export async function freePath(dir: string, name: string): Promise<string | undefined> {
  for (let n = 1; n < 1000; n++) {
    const path = join(dir, n === 1 ? `${name}.md` : `${name}-${n}.md`);
    try {
      // A link that leads nowhere has the name, too.
      await lstat(path);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      return code === "ENOENT" || code === "ENOTDIR" ? path : undefined;
    }
  }
  return undefined;
}
