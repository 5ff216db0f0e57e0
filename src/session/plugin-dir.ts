import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The plugin's own directory, which holds `container/` and `package.json`.
 * The bundle lies in `dist/`, the source of this module in `src/session/`.
 */
export const pluginDir = findUpwards(dirname(fileURLToPath(import.meta.url)));

function findUpwards(start: string): string {
  for (let dir = start; dir !== dirname(dir); dir = dirname(dir))
    if (existsSync(join(dir, "container", "Dockerfile"))) return dir;
  throw new Error(`container/Dockerfile was not found above ${start}`);
}
