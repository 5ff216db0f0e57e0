import { realpathSync } from "node:fs";
import { delimiter, isAbsolute, join, sep } from "node:path";

/**
 * A PATH without the directories in which an agent can put programs.
 *
 * SECURITY: direnv and its like put `bin` or `node_modules/.bin` of a project on the PATH of an editor
 * that is started there. The host looks up git, sh, find and tar by it, before and after each turn.
 * What holds the home is refused as a project, and keeps its programs.
 */
export function pathOutside(path: string, root: string, home: string): string {
  const inner = resolved(root);
  const isInside = (place: string) => place === inner || place.startsWith(join(inner, sep));
  if (isInside(resolved(home))) return path;
  return path
    .split(delimiter)
    .filter((dir) => !isInside(isAbsolute(dir) ? resolved(dir) : inner))
    .join(delimiter);
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It may be made yet.
    return join(path);
  }
}
