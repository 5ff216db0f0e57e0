import type { Manifest } from "../checkpoints/index.ts";
import type { Plan } from "./change.ts";

/** The manifest of a project once a plan is carried out; the permissions of files are in it already. */
export function manifestAfter(manifest: Manifest, plan: Plan): Manifest {
  const ignored = new Set(manifest.ignored);
  for (const { path, to } of plan.steps) {
    if (to === undefined) ignored.delete(path);
    else if (plan.ignored.has(path)) ignored.add(path);
  }
  const dirModes = new Map(manifest.dirModes);
  for (const dir of plan.removeDirs) dirModes.delete(dir);
  for (const [dir, mode] of plan.dirModes) dirModes.set(dir, mode);
  return {
    ...{ ...manifest, dirModes, emptyDirs: [...plan.emptyDirs] },
    ignored: [...ignored],
  };
}
