import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../error-code.ts";

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
      const code = codeOf(cause);
      return code === "ENOENT" || code === "ENOTDIR" ? path : undefined;
    }
  }
  return undefined;
}
