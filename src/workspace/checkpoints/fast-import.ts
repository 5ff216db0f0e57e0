import { createHash } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import type { GitError } from "../../git.ts";
import { err, ok, type Result } from "../../result.ts";
import { bytesOf } from "../byte-path.ts";
import { FILES, MANIFEST, REFS, type ShadowRepository } from "./shadow-repository.ts";
import type { TreeFile } from "./tree.ts";

/** Reading and packing a large project for the first time. */
const TIMEOUT_MS = 600_000;
const MAX_CHECK_BYTES = 64 * 1024 ** 2;

/** The name that git gives a content. */
export function oidOf(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** A checkpoint as git has it: a commit without parents, and its tree. */
export type StoredCheckpoint = { readonly commit: string; readonly tree: string };

/** A checkpoint to write: an earlier one, and how it differs. */
export type CheckpointCommit = {
  /** The end of its ref: a name that no other checkpoint has. */
  readonly name: string;
  readonly base: StoredCheckpoint | undefined;
  /** The files that changed; undefined for one that is gone. */
  readonly changes: ReadonlyMap<string, TreeFile | undefined>;
  /** JSON of a `Manifest`. */
  readonly manifest: string;
  readonly atMs: number;
};

/**
 * Writes contents and one checkpoint by `git fast-import`, which is started with the first of them and
 * reads from this process alone. Nothing is in the repository before the checkpoint is complete.
 */
export class FastImport {
  readonly #shadow: ShadowRepository;
  readonly #signal: AbortSignal;
  readonly #input = new PassThrough({ highWaterMark: 1024 * 1024 });
  #run: Promise<Result<Buffer, GitError>> | undefined;
  #isOver = false;

  constructor(shadow: ShadowRepository, signal: AbortSignal) {
    this.#shadow = shadow;
    this.#signal = signal;
    // Of a git that ended early: its own answer says why.
    this.#input.on("error", () => {});
  }

  /** Stores a content. Its errors are those of `commit`. */
  async blob(content: Buffer): Promise<void> {
    await this.#write(`blob\ndata ${content.length}\n`);
    await this.#write(content);
    await this.#write("\n");
  }

  /** Writes the checkpoint. Rejects with the reason of the signal. */
  async commit(checkpoint: CheckpointCommit): Promise<Result<StoredCheckpoint, GitError>> {
    const { name, base, changes, manifest, atMs } = checkpoint;
    const ref = `${REFS}${name}`;
    const seconds = Math.floor(atMs / 1000);
    const lines = [
      `commit ${ref}`,
      `committer codex-chat <codex-chat> ${seconds} +0000`,
      "data 0",
      ...(base === undefined ? [] : [`M 040000 ${base.tree} ""`]),
    ];
    await this.#write(`${lines.join("\n")}\n`);
    // First: a directory may have taken the place of a file, or the other way round.
    for (const [path, file] of changes)
      if (file === undefined) await this.#write(bytesOf(`D ${quotedPath(path)}\n`));
    for (const [path, file] of changes)
      if (file !== undefined)
        await this.#write(bytesOf(`M ${file.kind} ${file.oid} ${quotedPath(path)}\n`));
    const text = Buffer.from(manifest);
    await this.#write(`M 100644 inline ${MANIFEST}\ndata ${text.length}\n`);
    await this.#write(text);
    await this.#write("\n");
    await this.#write("done\n");
    const done = await this.#end();
    if (!done.ok) return done;
    return this.#written(ref, changes);
  }

  /**
   * What was written, and whether it is whole: a content that git had already may have been collected
   * in this moment, before the new commit named it.
   */
  async #written(
    ref: string,
    changes: CheckpointCommit["changes"],
  ): Promise<Result<StoredCheckpoint, GitError>> {
    const oids = new Set([...changes.values()].flatMap((file) => file?.oid ?? []));
    const checked = await this.#shadow.run({
      args: ["cat-file", "--batch-check=%(objectname)"],
      input: [ref, `${ref}^{tree}`, ...oids].map((name) => `${name}\n`).join(""),
      maxBytes: MAX_CHECK_BYTES,
    });
    if (!checked.ok) return checked;
    const [commit = "", tree = "", ...rest] = checked.value.toString("utf8").split("\n");
    const missing = [commit, tree, ...rest].find((line) => line.endsWith(" missing"));
    if (missing === undefined) return ok({ commit, tree });
    const message = `the repository of checkpoints lacks ${missing.split(" ")[0]}`;
    return err({ kind: "git_failed", message, stderr: "" });
  }

  /** Ends git without a checkpoint, if it runs. */
  async abandon(): Promise<void> {
    if (this.#run === undefined || this.#isOver) return;
    this.#isOver = true;
    // Without `done` nothing is kept.
    this.#input.end();
    await this.#run.catch(() => {});
    await this.#shadow.removeReports();
  }

  async #end(): Promise<Result<Buffer, GitError>> {
    this.#isOver = true;
    this.#input.end();
    return this.#start();
  }

  #start(): Promise<Result<Buffer, GitError>> {
    this.#run ??= this.#shadow
      .run({
        args: ["fast-import", "--quiet", "--done", "--date-format=raw"],
        input: this.#input[Symbol.asyncIterator](),
        timeoutMs: TIMEOUT_MS,
        signal: this.#signal,
      })
      .finally(() => {
        // The scan goes on writing, and finds out at the end.
        this.#isOver = true;
        this.#input.destroy();
      });
    return this.#run;
  }

  async #write(data: string | Buffer): Promise<void> {
    const run = this.#start().catch(() => {});
    if (this.#isOver || this.#input.write(data)) return;
    await Promise.race([once(this.#input, "drain"), run]);
  }
}

/**
 * A project's path as fast-import reads it: in quotes, with every byte that could be read otherwise as
 * an octal escape.
 */
function quotedPath(path: string): string {
  const escaped = `${FILES}/${path}`.replace(
    /["\\\n]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return `"${escaped}"`;
}
