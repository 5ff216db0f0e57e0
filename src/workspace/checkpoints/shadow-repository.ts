import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GitError, type GitRun, runGit } from "../../git.ts";
import { parseJson } from "../../parse-json.ts";
import { ok, type Result } from "../../result.ts";
import { parentOf, shownPath } from "../byte-path.ts";
import {
  EMPTY_MANIFEST,
  type FileKind,
  Manifest,
  modeIn,
  type Recorded,
  type Tree,
  type TreeFile,
} from "./tree.ts";

/** Where a checkpoint's files and its manifest are in its tree. */
export const FILES = "files";
export const MANIFEST = "manifest.json";

/** The refs of checkpoints: each is a commit without parents, so that old ones can go. */
export const REFS = "refs/checkpoints/";

/** A tree of 400,000 files with long paths. */
const MAX_TREE_BYTES = 256 * 1024 ** 2;
/** The contents that one reading may give. */
const MAX_READ_BYTES = 512 * 1024 ** 2;

const CONFIG = `[core]
	repositoryformatversion = 0
	bare = true
	# All that git makes is for this user alone, whatever the umask.
	sharedRepository = 0600
	# Names that other systems cannot have are names here.
	protectHFS = false
	protectNTFS = false
	# Speed counts for more than the last tenth of the size.
	compression = 1
`;

/** The content of a file by its name, as git lists it in a tree. */
const ENTRY = /^(100644|100755|120000) blob ([0-9a-f]{40})\tfiles\/([\s\S]+)$/;

/**
 * The repository that checkpoints are kept in, in the project's state directory. Git only stores and
 * compares objects there: it never looks at the project's files, and no configuration, hook, filter
 * or attribute of anybody's is in force.
 */
export class ShadowRepository {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Opens the one in `dir`, which is made if it is absent. */
  static async open(dir: string): Promise<ShadowRepository> {
    if (!existsSync(join(dir, "HEAD"))) {
      for (const name of ["objects/info", "objects/pack", "refs/heads", "info"])
        await mkdir(join(dir, name), { recursive: true, mode: 0o700 });
      await writeFile(join(dir, "config"), CONFIG, { mode: 0o600 });
      // Last: without HEAD the directory is not a repository. It never names a commit.
      await writeFile(join(dir, "HEAD"), "ref: refs/heads/none\n", { mode: 0o600 });
    }
    return new ShadowRepository(dir);
  }

  /** Runs git in it. */
  run(run: Omit<GitRun, "gitDir">): Promise<Result<Buffer, GitError>> {
    return runGit({ ...run, gitDir: this.dir });
  }

  /** The files of a checkpoint, or those at a path and below it. */
  async tree(commit: string, path = ""): Promise<Result<Tree, GitError>> {
    const listed = await this.run({
      args: ["ls-tree", "-r", "-z", "--full-tree", commit, `${FILES}/${shownPath(path)}`],
      maxBytes: MAX_TREE_BYTES,
    });
    if (!listed.ok) return listed;
    const tree = new Map<string, TreeFile>();
    for (const line of listed.value.toString("latin1").split("\0")) {
      const [, kind, oid, path] = ENTRY.exec(line) ?? [];
      if (oid !== undefined && path !== undefined) tree.set(path, { kind: kind as FileKind, oid });
    }
    return ok(tree);
  }

  /** A checkpoint as a project that changes can be planned for. */
  async recorded(commit: string): Promise<Result<Recorded, GitError>> {
    const [tree, manifest] = await Promise.all([this.tree(commit), this.manifest(commit)]);
    if (!tree.ok) return tree;
    if (!manifest.ok) return manifest;
    const files = new Map(
      [...tree.value].map(([path, file]) => {
        return [path, { ...file, mode: modeIn(manifest.value, path, file.kind) }];
      }),
    );
    const { emptyDirs, missed } = manifest.value;
    const dirs = new Set(emptyDirs);
    for (const path of [...files.keys(), ...emptyDirs])
      for (let dir = parentOf(path); dir !== "" && !dirs.has(dir); dir = parentOf(dir))
        dirs.add(dir);
    return ok({ files, dirs, emptyDirs, missed });
  }

  /** The manifest of a checkpoint. */
  async manifest(commit: string): Promise<Result<Manifest, GitError>> {
    const shown = await this.run({
      args: ["cat-file", "blob", `${commit}:${MANIFEST}`],
      maxBytes: MAX_TREE_BYTES,
    });
    if (!shown.ok) return shown;
    const parsed = Manifest.safeParse(parseJson(shown.value.toString("utf8")));
    // One of a newer version, or a damaged one: nothing is known besides the files.
    return ok(parsed.success ? parsed.data : EMPTY_MANIFEST);
  }

  /** The name of a checkpoint's tree. */
  async treeName(commit: string): Promise<Result<string, GitError>> {
    const named = await this.run({ args: ["rev-parse", "--verify", `${commit}^{tree}`] });
    return named.ok ? ok(named.value.toString("utf8").trim()) : named;
  }

  /** Contents by their names; those that are not there are absent. */
  async read(oids: Iterable<string>): Promise<Result<ReadonlyMap<string, Buffer>, GitError>> {
    const wanted = [...new Set(oids)];
    if (wanted.length === 0) return ok(new Map());
    const read = await this.run({
      args: ["cat-file", "--batch"],
      input: wanted.map((oid) => `${oid}\n`).join(""),
      maxBytes: MAX_READ_BYTES,
    });
    return read.ok ? ok(parseBatch(read.value)) : read;
  }

  /** Whether a checkpoint can still be read. */
  async has(commit: string): Promise<boolean> {
    const found = await this.run({ args: ["cat-file", "-e", `${commit}^{tree}`] });
    return found.ok;
  }

  /**
   * Whether a checkpoint has its name still: then it is there, whole, and stays for two hours
   * whatever happens (see prune.ts).
   */
  async isNamed(ref: string, commit: string): Promise<boolean> {
    const own = await readFile(join(this.dir, ref), "utf8").catch(() => undefined);
    if (own !== undefined) return own.trim() === commit;
    const packed = await readFile(join(this.dir, "packed-refs"), "utf8").catch(() => "");
    return packed.split("\n").includes(`${commit} ${ref}`);
  }

  /** Removes what a git writes that was stopped. */
  async removeReports(): Promise<void> {
    for (const name of await readdir(this.dir).catch(() => []))
      if (name.startsWith("fast_import_crash_")) await rm(join(this.dir, name), { force: true });
  }
}

function parseBatch(output: Buffer): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(0x0a, at);
    const [oid = "", type, size] = output.toString("latin1", at, end).split(" ");
    at = end + 1;
    if (type !== "blob") continue;
    found.set(oid, output.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
  return found;
}
