import * as z from "zod";

/** The kind of a recorded file, as git writes it: a file, one that can be run, or a link. */
export type FileKind = "100644" | "100755" | "120000";

/**
 * A file as it is recorded: its kind, the name of its content, which for a link is its target, and its
 * permissions, as 0o644, where they are known.
 */
export type TreeFile = {
  readonly kind: FileKind;
  readonly oid: string;
  readonly mode?: number | undefined;
};

/** The files of a project at one moment, and what is around them. */
export type Recorded = {
  readonly files: ReadonlyMap<string, TreeFile>;
  /** All directories, and those in which nothing is. */
  readonly dirs: ReadonlySet<string>;
  readonly emptyDirs: readonly string[];
  /** What could not be recorded. */
  readonly missed: readonly Missed[];
};

/** Recorded files by their path from the project's root, as bytes (see byte-path.ts). */
export type Tree = ReadonlyMap<string, TreeFile>;

/** Whether both are the same file, or both are none, whatever their permissions. */
export function isSameFile(one: TreeFile | undefined, other: TreeFile | undefined): boolean {
  return one?.oid === other?.oid && one?.kind === other?.kind;
}

/**
 * Why a path is not in a checkpoint: `large`, a file above the limit; `ignored`, a directory that
 * the ignore rules hide and that has too many files; `unreadable`; `other_disk`, a directory of
 * another file system; `deep`, one below too many others.
 */
export const Missed = z.object({
  path: z.string(),
  why: z.enum(["large", "ignored", "unreadable", "other_disk", "deep"]),
  /** The state of the file, so that a change shows although the content is not recorded. */
  state: z.string().optional(),
  /** The ignore rules hide it. */
  isIgnored: z.boolean().optional(),
});
export type Missed = z.infer<typeof Missed>;

/** Permissions by path, only those that are not the usual ones; in pairs, for a path may be any word. */
const Modes = z.array(z.tuple([z.string(), z.int()])).transform((pairs) => new Map(pairs));

/** All that a checkpoint knows besides the files that git can record. */
export const Manifest = z.object({
  version: z.literal(1),
  emptyDirs: z.array(z.string()),
  /** The permissions of most files, programs and directories of the project. */
  usual: z.object({ file: z.int(), program: z.int(), dir: z.int() }),
  /** Files with other ones: a private file comes back as one. */
  modes: Modes,
  dirModes: Modes,
  /** Recorded files that the project's ignore rules hide. */
  ignored: z.array(z.string()),
  missed: z.array(Missed),
});
export type Manifest = z.output<typeof Manifest>;

/** The manifest of an empty project. */
export const EMPTY_MANIFEST: Manifest = {
  version: 1,
  emptyDirs: [],
  usual: { file: 0o644, program: 0o755, dir: 0o755 },
  modes: new Map(),
  dirModes: new Map(),
  ignored: [],
  missed: [],
};

/** The manifest as it is kept. */
export function manifestText(manifest: Manifest): string {
  const { modes, dirModes } = manifest;
  return JSON.stringify({ ...manifest, modes: [...modes], dirModes: [...dirModes] });
}

/** The permissions of a recorded file; undefined for a link, which has none. */
export function modeIn({ modes, usual }: Manifest, path: string, kind: FileKind) {
  if (kind === "120000") return undefined;
  return modes.get(path) ?? (kind === "100755" ? usual.program : usual.file);
}
