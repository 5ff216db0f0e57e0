import type { Manifest } from "../checkpoints/index.ts";
import type { Plan } from "./change.ts";

/** The manifest of a project once a plan is carried out. */
export function manifestAfter(manifest: Manifest, plan: Plan): Manifest {
  const { usual } = manifest;
  const modes = new Map(manifest.modes);
  const ignored = new Set(manifest.ignored);
  for (const { path, to, mode } of plan.steps) {
    modes.delete(path);
    if (to === undefined) ignored.delete(path);
    else if (plan.ignored.has(path)) ignored.add(path);
    const isUsual = mode === (to?.kind === "100755" ? usual.program : usual.file);
    if (to !== undefined && mode !== undefined && !isUsual) modes.set(path, mode);
  }
  const dirModes = new Map(manifest.dirModes);
  for (const dir of plan.removeDirs) dirModes.delete(dir);
  for (const [dir, mode] of plan.dirModes) dirModes.set(dir, mode);
  return {
    ...{ ...manifest, modes, dirModes, emptyDirs: [...plan.emptyDirs] },
    ignored: [...ignored],
  };
}
