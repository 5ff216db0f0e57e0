import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GitError, type GitRun, runGit } from "../../../git.ts";
import type { Result } from "../../../result.ts";

/** How the names of objects are made. */
export type ObjectFormat = "sha1" | "sha256";

const PREFIX = "scratch-";
/** Longer than any transfer may take. */
const MAX_AGE_MS = 3_600_000;

/** What a scratch repository borrows. */
export type ScratchRepositoryOptions = {
  /** Where it is made; a directory of ours. */
  readonly parent: string;
  /** The project's objects, which it reads. */
  readonly objects: string;
  readonly format: ObjectFormat;
  /** Commits whose parents are absent, of a shallow clone. */
  readonly shallow?: string | undefined;
};

/**
 * A bare git directory of our own making, empty but for the objects that it borrows from the
 * project: the one place in which git runs on the host. Nothing in it is from the project's
 * configuration or the agent. Disposing removes it.
 */
export class ScratchRepository implements AsyncDisposable {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make({
    parent,
    objects,
    format,
    shallow,
  }: ScratchRepositoryOptions): Promise<ScratchRepository> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const dir = await mkdtemp(join(parent, PREFIX));
    await mkdir(join(dir, "objects/info"), { recursive: true });
    await mkdir(join(dir, "objects/pack"));
    await mkdir(join(dir, "refs"));
    const extension = format === "sha1" ? "" : `[extensions]\n\tobjectFormat = ${format}\n`;
    const version = format === "sha1" ? 0 : 1;
    await writeFile(
      join(dir, "config"),
      `[core]\n\trepositoryformatversion = ${version}\n\tbare = true\n${extension}`,
    );
    await writeFile(join(dir, "objects/info/alternates"), `${quotedAlternate(objects)}\n`);
    if (shallow !== undefined) await writeFile(join(dir, "shallow"), shallow);
    // Last: without it the directory is no repository.
    await writeFile(join(dir, "HEAD"), "ref: refs/heads/none\n");
    return new ScratchRepository(dir);
  }

  /** Removes what a crash has left behind. */
  static async sweep(parent: string): Promise<void> {
    for (const name of await readdir(parent).catch(() => [])) {
      if (!name.startsWith(PREFIX)) continue;
      const dir = join(parent, name);
      // Another Neovim on this project may be at work in a younger one.
      const stats = await stat(dir).catch(() => undefined);
      if (stats !== undefined && Date.now() - stats.mtimeMs > MAX_AGE_MS)
        await rm(dir, { recursive: true, force: true });
    }
  }

  /** Runs git in it. */
  run(run: Omit<GitRun, "gitDir">): Promise<Result<Buffer, GitError>> {
    return runGit({ ...run, gitDir: this.dir });
  }

  /** Writes a file into it. */
  async put(name: string, content: Uint8Array): Promise<void> {
    await writeFile(join(this.dir, name), content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A path as a line of `alternates`, which may be quoted as C has it. */
export function quotedAlternate(path: string): string {
  return /["\\\n]/.test(path) || path.startsWith("#")
    ? `"${path.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`
    : path;
}
