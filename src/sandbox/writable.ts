import { join } from "node:path";
import { isWithin } from "../paths.ts";
import type { ContainerSpec } from "./container-spec.ts";
import type { GuardedFile } from "./guard/index.ts";

/**
 * Whether programs inside may write a file at this path, and what they write is in the project on the
 * host as well: no read-only mount, no volume and nothing else lies over it.
 */
export function mayWrite(
  { mounts, volumes }: Pick<ContainerSpec, "mounts" | "volumes">,
  root: string,
  guarded: readonly GuardedFile[],
  path: string,
): boolean {
  if (!isWithin(root, path)) return false;
  if ((volumes ?? []).some(({ target }) => isWithin(target, path))) return false;
  const isClosed = ({ name, isParentDir }: GuardedFile) =>
    isParentDir !== true && isWithin(join(root, name), path);
  if (guarded.some(isClosed)) return false;
  // The innermost one counts.
  const [mount] = mounts
    .filter(({ target }) => isWithin(target, path))
    .sort((one, other) => other.target.length - one.target.length);
  return mount !== undefined && !mount.readOnly && mount.source === mount.target;
}
