import { dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { quoteForShell, readSmallFile, statsAt } from "../look.ts";
import { err, ok, type Result } from "../result.ts";
import type { SandboxError } from "./error.ts";
import { fileIdentity } from "./guard.ts";

const Protected = z.object({
  /** Relative to the project's top directory. */
  name: z.string().min(1),
  kind: z.enum(["file", "directory"]),
  /** It was not there at the last start, and the user has been told. */
  gone: z.boolean().optional(),
});

const Record = z.object({
  protected: z.array(Protected),
  /** Git directories that came up while an agent worked, and what they were: they may be its own. */
  made: z.array(z.object({ name: z.string(), identity: z.string() })),
});

/** A path that is read-only inside from its first start on. */
export type ProtectedPath = z.infer<typeof Protected>;

/**
 * What of a project has been protected so far. It is begun before an agent has ever run there, and
 * only grows by itself: what the agent writes later cannot take a protection away.
 */
export type GuardRecord = z.infer<typeof Record>;

/** A project of 100,000 protected paths has a record of some 10 MB. */
const MAX_BYTES = 32 * 1024 ** 2;
/** SECURITY: an agent can make any number; what is forgotten is protected at the next start. */
const MAX_MADE = 10_000;

/**
 * Reads the record of the project with this state directory; undefined before its first start.
 *
 * Errors: `state_unwritable`, where it is there and cannot be read or understood.
 */
export async function readGuardRecord(
  stateDir: string,
): Promise<Result<GuardRecord | undefined, SandboxError>> {
  const path = pathIn(stateDir);
  try {
    for (const it of [dirname(path), path]) {
      const stats = await statsAt(it);
      if (stats === undefined) return ok(undefined);
      if (Number(stats.uid) !== process.getuid?.())
        return err(unreadable(path, `${it} belongs to the user ${stats.uid}`));
    }
    const text = await readSmallFile(path, MAX_BYTES);
    if (text === undefined) return err(unreadable(path, "it is not a plain file"));
    return ok(Record.parse(JSON.parse(text)));
  } catch (cause) {
    return err(unreadable(path, (cause as Error).message.split("\n")[0] ?? "", cause));
  }
}

/** Writes the record. Rejects where it cannot be written. */
export async function writeGuardRecord(stateDir: string, record: GuardRecord): Promise<void> {
  const text = `${JSON.stringify(record, undefined, 1)}\n`;
  await writeFileAtomic(pathIn(stateDir), text, { mode: 0o600 });
}

/**
 * Takes a path off the record because the user says so: it is protected no longer for having been
 * so before. A git directory that is there counts as the agent's. Rejects with `LookError`.
 */
export async function forgetProtected(
  stateDir: string,
  root: string,
  name: string,
): Promise<Result<{ readonly wasProtected: boolean }, SandboxError>> {
  const read = await readGuardRecord(stateDir);
  if (!read.ok) return read;
  const record = read.value ?? { protected: [], made: [] };
  const kept = record.protected.filter((it) => it.name !== name);
  const wasProtected = kept.length < record.protected.length;
  if (wasProtected)
    await writeGuardRecord(stateDir, {
      protected: kept,
      made: [...record.made.filter((it) => it.name !== name), ...(await identified(root, [name]))],
    });
  return ok({ wasProtected });
}

/**
 * Notes git directories that came up while an agent worked. Rejects where that cannot be done.
 *
 * SECURITY: each is noted as the very directory that it is. A name alone would let an agent reserve
 * it for a repository that the user makes there later.
 */
export async function noteMade(
  stateDir: string,
  root: string,
  names: readonly string[],
): Promise<void> {
  const read = await readGuardRecord(stateDir);
  if (!read.ok || read.value === undefined) return;
  const { made, protected: all } = read.value;
  const known = new Set(all.map((it) => it.name));
  const added = await identified(
    root,
    names.filter((name) => !known.has(name)),
  );
  const kept = made.filter((it) => !added.some(({ name }) => name === it.name));
  if (added.length > 0)
    await writeGuardRecord(stateDir, {
      protected: all,
      made: [...kept, ...added].slice(-MAX_MADE),
    });
}

async function identified(root: string, names: readonly string[]): Promise<GuardRecord["made"]> {
  const made: GuardRecord["made"] = [];
  for (const name of names) {
    const identity = await fileIdentity(join(root, name));
    if (identity !== undefined) made.push({ name, identity });
  }
  return made;
}

/** What is protected from now on, and what is to be kept on record. */
export type MergedGuard = {
  readonly protected: readonly ProtectedPath[];
  readonly record: GuardRecord;
  /** Sentences about paths that are gone. */
  readonly notes: readonly string[];
};

/** What stands at a path now: `other` is a link, or something else that cannot be mounted. */
export type PathKind = ProtectedPath["kind"] | "other" | undefined;

/**
 * Joins what is found now with what was protected before. What is still there stays protected,
 * whatever the configuration says now. Errors: a reason and a fix, where git's own directory is
 * gone, or a path has become something that cannot be mounted in the same way.
 */
export async function mergeGuard(
  now: readonly ProtectedPath[],
  before: GuardRecord | undefined,
  kindOf: (name: string) => Promise<PathKind>,
): Promise<Result<MergedGuard, { readonly reason: string; readonly fix: string }>> {
  const all = new Map(now.map((it) => [it.name, it]));
  const notes: string[] = [];
  for (const old of before?.protected ?? []) {
    const kind = all.get(old.name)?.kind ?? (await kindOf(old.name));
    if (kind === old.kind) {
      all.set(old.name, { name: old.name, kind });
      continue;
    }
    if (kind !== undefined || old.name === ".git") return err(changed(old, kind));
    all.set(old.name, { ...old, gone: true });
    if (old.gone !== true)
      notes.push(
        `${old.name} was read-only in the sandbox and is gone: the agent can make another one, which your machine may run.`,
      );
  }
  const kept = [...all.values()];
  return ok({
    protected: kept.filter((it) => it.gone !== true),
    record: { protected: kept, made: before?.made ?? [] },
    notes,
  });
}

function changed({ name, kind }: ProtectedPath, now: PathKind) {
  const is =
    now === undefined ? "is gone" : now === "other" ? "is a link or reached by one" : `is a ${now}`;
  return {
    reason: `${name} was a ${kind} and read-only in the sandbox, and now ${is}: your machine might run what the agent puts there`,
    fix: `Put it back. If this is your own doing: :CodexChat sandbox unprotect ${name}`,
  };
}

function unreadable(path: string, reason: string, cause?: unknown): SandboxError {
  return {
    kind: "state_unwritable",
    message: `The list of what is protected in this project cannot be read (${reason}), so it is not known what the agent must not change.`,
    mend: `ls -l ${quoteForShell(path)}\nIf you trust the project as it is now: rm ${quoteForShell(path)}`,
    path,
    cause,
  };
}

function pathIn(stateDir: string): string {
  return join(stateDir, "protected.json");
}
