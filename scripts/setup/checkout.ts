import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The root of this checkout: the nearest directory above with a package.json. */
export const checkout: string = findUp(import.meta.dirname);

/** Where everything that was fetched or built stays: `<checkout>/.cache`. */
export const cacheRoot: string = join(checkout, ".cache");

function findUp(dir: string): string {
  if (existsSync(join(dir, "package.json"))) return dir;
  const parent = dirname(dir);
  if (parent === dir) throw new Error(`no package.json above ${import.meta.dirname}`);
  return findUp(parent);
}
