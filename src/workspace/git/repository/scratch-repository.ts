import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GitError, type GitRun, runGit } from "../../../git.ts";
import type { Result } from "../../../result.ts";

/** The hash function of object names. */
export type ObjectFormat = "sha1" | "sha256";

const PREFIX = "scratch-";
/** Longer than any transfer may take. */
const MAX_AGE_MS = 3_600_000;

/** How a scratch repository is made. */
export type ScratchRepositoryOptions = {
  /** The directory that it is made in, which the agent cannot write. */
  readonly parent: string;
  /** The project's objects, which it borrows. */
  readonly objects: string;
  readonly format: ObjectFormat;
  /** Commits whose parents a shallow clone lacks. */
  readonly shallow?: string | undefined;
};

/**
 * A bare repository of the host's own making that borrows the project's objects and is otherwise
 * empty. Git on the host reads and checks commits only in such a one: nothing in it comes from the
 * project's configuration or the agent. Disposing removes it.
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
    // Last: without HEAD the directory is not a repository.
    await writeFile(join(dir, "HEAD"), "ref: refs/heads/none\n");
    return new ScratchRepository(dir);
  }

  /** Removes scratch repositories that a crash has left behind. */
  static async sweep(parent: string): Promise<void> {
    for (const name of await readdir(parent).catch(() => [])) {
      if (!name.startsWith(PREFIX)) continue;
      const dir = join(parent, name);
      // Another Neovim on this project may be using a younger one.
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

/** A path as a line of `alternates`, quoted as in C if needed. */
export function quotedAlternate(path: string): string {
  return /["\\\n]/.test(path) || path.startsWith("#")
    ? `"${path.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`
    : path;
}
