import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "../../result.ts";
import type { Oid } from "./refs.ts";
import { type Repository, ScratchRepository } from "./repository/index.ts";
import { type SandboxGit, type SandboxGitProcess, tailOf } from "./sandbox-git.ts";

/** Limits of one transfer. */
export type TransferLimits = {
  readonly maxBytes: number;
  readonly timeoutMs: number;
};

/** The limits: a pack of 256 MiB is a large repository's whole history. */
const TRANSFER_LIMITS: TransferLimits = { maxBytes: 256 * 1024 ** 2, timeoutMs: 60_000 };

/** Git's own limit: with more objects it keeps a pack as it is. */
const UNPACK_LIMIT = 100;

/** The commits to import. */
export type Wanted = {
  /** Commits that the private side claims to have. */
  readonly tips: readonly Oid[];
  /** Commits of the real side. */
  readonly known: readonly Oid[];
  readonly limits?: TransferLimits;
};

/** An imported pack. */
export type ImportedPack = { readonly bytes: number };

/**
 * Brings commits of the private side into the object directory of the real one.
 *
 * SECURITY: the sandbox sends only a pack, a stream of bytes. Git on the host never works in the
 * private directory, so none of its configuration, hooks, filters, attributes, alternates,
 * replacements and grafts is in force. The pack is indexed and checked in a scratch repository: fsck
 * of each object, and that no object is missing between it and the known commits. Only then are its
 * objects copied. Refs are not changed here.
 *
 * Errors: a part of a sentence. Nothing was imported then; the private side still has everything.
 */
export async function importPack(
  repository: Repository,
  inside: SandboxGit,
  scratchDir: string,
  { tips, known, limits = TRANSFER_LIMITS }: Wanted,
): Promise<Result<ImportedPack, string>> {
  await using scratch = await ScratchRepository.make({
    parent: scratchDir,
    objects: repository.objects[0],
    format: repository.format,
    shallow: repository.shallow,
  });
  const packed = await inside.pack(tips, known);
  if (!packed.ok) return packed;
  const taken = await takeIn(scratch, packed.value, limits);
  if (!taken.ok) return taken;
  const whole = await checkWhole(scratch, tips, known, limits.timeoutMs);
  if (!whole.ok) return err(`they are incomplete (${whole.error})`);
  const stored = await store(scratch, repository);
  return stored.ok ? ok({ bytes: taken.value }) : stored;
}

/** Checks the pack while it arrives, and returns its size in bytes. */
async function takeIn(
  scratch: ScratchRepository,
  process: SandboxGitProcess,
  { maxBytes, timeoutMs }: TransferLimits,
): Promise<Result<number, string>> {
  const said = tailOf(process.stderr);
  const timer = setTimeout(process.kill, timeoutMs);
  let bytes = 0;
  const bounded = async function* () {
    for await (const chunk of process.stdout) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxBytes) return;
      yield chunk as Buffer;
    }
  };
  const indexed = await scratch.run({
    args: ["index-pack", "--stdin", "--fix-thin", "--strict", `--max-input-size=${maxBytes}`],
    input: bounded(),
    timeoutMs,
  });
  clearTimeout(timer);
  process.kill();
  if (bytes > maxBytes)
    return err(`they are larger than ${Math.round(maxBytes / 1024 ** 2)} MiB together`);
  if (!indexed.ok) {
    const why = bytes === 0 ? said() : indexed.error.message;
    return err(`they do not pass git's checks (${why || indexed.error.message})`);
  }
  return ok(bytes);
}

/** Checks that each tip is a commit and that no object it needs is missing. */
async function checkWhole(
  scratch: ScratchRepository,
  tips: readonly Oid[],
  known: readonly Oid[],
  timeoutMs: number,
): Promise<Result<void, string>> {
  const kinds = await scratch.run({
    args: ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
    input: tips.map((tip) => `${tip}\n`).join(""),
  });
  if (!kinds.ok) return err(kinds.error.message);
  const found = new Set(kinds.value.toString("utf8").split("\n"));
  const other = tips.find((tip) => !found.has(`${tip} commit`));
  if (other !== undefined) return err(`${other} is not a commit`);
  const walked = await scratch.run({
    args: ["rev-list", "--objects", "--quiet", "--ignore-missing", "--stdin"],
    input: `${[...tips, ...known.map((commit) => `^${commit}`)].join("\n")}\n`,
    timeoutMs,
  });
  return walked.ok ? ok() : err(walked.error.message);
}

/** Copies the checked objects, a few as files and many as a pack, as git itself does. */
async function store(
  scratch: ScratchRepository,
  repository: Repository,
): Promise<Result<void, string>> {
  const packs = join(scratch.dir, "objects/pack");
  const name = (await readdir(packs)).find((file) => file.endsWith(".pack"));
  // An empty pack is not stored: all objects are known.
  if (name === undefined) return ok();
  const counted = await scratch.run({ args: ["count-objects", "-v"] });
  if (!counted.ok) return err(`they could not be counted (${counted.error.message})`);
  const count = Number(/^in-pack: (\d+)$/m.exec(counted.value.toString())?.[1]);
  const stored = await scratch.run({
    args: count < UNPACK_LIMIT ? ["unpack-objects", "-q"] : ["index-pack", "--stdin"],
    objects: repository.objects[0],
    input: { file: join(packs, name) },
  });
  return stored.ok ? ok() : err(`they could not be stored (${stored.error.message})`);
}
