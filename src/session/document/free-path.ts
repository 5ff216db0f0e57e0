import { lstat } from "node:fs/promises";
import { join } from "node:path";

/**
 * A path with nothing there yet; undefined after too many of the same name, and if that cannot be
 * checked.
 */
export async function freePath(dir: string, name: string): Promise<string | undefined> {
  for (let n = 1; n < 1000; n++) {
    const path = join(dir, n === 1 ? `${name}.md` : `${name}-${n}.md`);
    try {
      // A dangling link has the name as well.
      await lstat(path);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      return code === "ENOENT" || code === "ENOTDIR" ? path : undefined;
    }
  }
  return undefined;
}
