import type { Scan } from "./scanned.ts";
import type { Manifest, TreeFile } from "./tree.ts";

/** What is known of a project besides the files that git can record. */
export function manifestOf(scan: Scan, usual: Manifest["usual"]): Manifest {
  const modes = new Map<string, number>();
  const dirModes = new Map<string, number>();
  const ignored: string[] = [];
  for (const [path, { kind, mode, isIgnored }] of scan.files) {
    if (isIgnored) ignored.push(path);
    if (kind !== "120000" && mode !== (kind === "100755" ? usual.program : usual.file))
      modes.set(path, mode);
  }
  for (const [path, { mode }] of scan.dirs)
    if (mode !== undefined && mode !== usual.dir && path !== "") dirModes.set(path, mode);
  const { emptyDirs, missed } = scan;
  return {
    ...{ version: 1, emptyDirs: [...emptyDirs], usual, modes, dirModes, ignored },
    missed: [...missed],
  };
}

/** What a change does besides writing files. */
export type Around = {
  /** Directories in which nothing is once it is done. */
  readonly emptyDirs: readonly string[];
  readonly removeDirs: readonly string[];
  /** Permissions of directories that it makes. */
  readonly dirModes: ReadonlyMap<string, number>;
  /** Files among those that are written that the ignore rules hide. */
  readonly ignored: ReadonlySet<string>;
};

/** The manifest after a change. */
export function changedManifest(
  manifest: Manifest,
  changes: ReadonlyMap<string, TreeFile | undefined>,
  around?: Around,
): Manifest {
  const { usual } = manifest;
  const modes = new Map(manifest.modes);
  for (const [path, file] of changes) {
    const isProgram = file?.kind === "100755";
    const mode = file?.mode ?? modes.get(path);
    modes.delete(path);
    if (file === undefined || file.kind === "120000" || mode === undefined) continue;
    const isOfKind = ((mode & 0o100) !== 0) === isProgram;
    if (isOfKind && mode !== (isProgram ? usual.program : usual.file)) modes.set(path, mode);
  }
  if (around === undefined) return { ...manifest, modes };
  const dirModes = new Map([...manifest.dirModes, ...around.dirModes]);
  for (const dir of around.removeDirs) dirModes.delete(dir);
  const ignored = [...manifest.ignored, ...around.ignored].filter(
    (path) => !changes.has(path) || changes.get(path) !== undefined,
  );
  const emptyDirs = [...around.emptyDirs];
  return { ...manifest, modes, dirModes, emptyDirs, ignored: [...new Set(ignored)] };
}

/** The permissions that most files, programs and directories have: a matter of the user's umask. */
export function usualModes({ files, dirs }: Scan): Manifest["usual"] {
  const count = { file: new Map(), program: new Map(), dir: new Map() };
  const add = (counts: Map<number, number>, mode: number) =>
    counts.set(mode, (counts.get(mode) ?? 0) + 1);
  for (const { kind, mode } of files.values())
    if (kind !== "120000") add(kind === "100755" ? count.program : count.file, mode);
  for (const { mode } of dirs.values()) if (mode !== undefined) add(count.dir, mode);
  return {
    file: mostOf(count.file, 0o644),
    program: mostOf(count.program, 0o755),
    dir: mostOf(count.dir, 0o755),
  };
}

function mostOf(counts: ReadonlyMap<number, number>, otherwise: number): number {
  const [most] = [...counts].sort(([, one], [, other]) => other - one);
  return most?.[0] ?? otherwise;
}
