import { dirname, join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { quoteForShell, readSmallFile, statsAt } from "../../look.ts";
import { err, ok, type Result } from "../../result.ts";
import type { SandboxError } from "../error.ts";
import { takeLock } from "../locks/index.ts";
import { fileIdentity } from "./mount-guard.ts";

const Protected = z.object({
  /** Relative to the project's top directory. */
  name: z.string().min(1),
  kind: z.enum(["file", "directory"]),
  /** It was absent at the last start, and the user was notified. */
  gone: z.boolean().optional(),
  /** A submodule's directory, protected until the submodule is checked out and has a `.git`. */
  isPlaceholder: z.boolean().optional(),
});

const Record = z.object({
  protected: z.array(Protected),
  /** Paths that appeared while an agent worked, each with its identity: they may be the agent's. */
  made: z.array(z.object({ name: z.string(), identity: z.string() })),
});

/** A path that stays read-only inside once it has been. */
export type ProtectedPath = z.infer<typeof Protected>;

/**
 * The paths of a project that have been protected so far. The record begins before an agent first
 * runs there and only grows by itself: nothing that the agent writes later removes a protection.
 */
export type GuardRecord = z.infer<typeof Record> & {
  /** Names that no longer need this protection, because another path has taken over. */
  readonly dropped?: readonly string[];
};

/** A project of 100,000 protected paths has a record of some 10 MB. */
const MAX_BYTES = 32 * 1024 ** 2;
/** SECURITY: an agent can make any number; one that is dropped is protected at the next start. */
const MAX_MADE = 10_000;

/**
 * Reads the record of the project with this state directory; undefined before its first start.
 *
 * Errors: `state_unwritable`, if it exists and cannot be read or parsed.
 */
export async function readGuardRecord(
  stateDir: string,
): Promise<Result<GuardRecord | undefined, SandboxError>> {
  const path = pathIn(stateDir);
  try {
    for (const own of [dirname(path), path]) {
      const stats = await statsAt(own);
      if (stats === undefined) return ok(undefined);
      if (Number(stats.uid) !== process.getuid?.())
        return err(unreadable(path, `${own} belongs to the user ${stats.uid}`));
    }
    const text = await readSmallFile(path, MAX_BYTES);
    if (text === undefined) return err(unreadable(path, "it is not a plain file"));
    return ok(Record.parse(JSON.parse(text)));
  } catch (cause) {
    return err(unreadable(path, (cause as Error).message.split("\n")[0] ?? "", cause));
  }
}

/**
 * Adds newly protected paths to the record, one process at a time. Rejects if it cannot be read or
 * written.
 */
export async function keepProtected(stateDir: string, now: GuardRecord): Promise<void> {
  await update(stateDir, (record) => {
    const all = new Map((record?.protected ?? []).map((entry) => [entry.name, entry]));
    for (const name of now.dropped ?? []) all.delete(name);
    for (const entry of now.protected) all.set(entry.name, entry);
    return { protected: [...all.values()], made: record?.made ?? [] };
  });
}

/**
 * Removes a path from the record because the user says so. If the path is found again, it is
 * protected as it is then. Rejects if that cannot be done.
 */
export async function forgetProtected(
  stateDir: string,
  name: string,
): Promise<{ readonly wasProtected: boolean }> {
  let wasProtected = false;
  await update(stateDir, (record) => {
    const all = record?.protected ?? [];
    wasProtected = all.some((entry) => entry.name === name);
    return { protected: all.filter((entry) => entry.name !== name), made: record?.made ?? [] };
  });
  return { wasProtected };
}

/**
 * Records paths that appeared while an agent worked. Rejects if that cannot be done.
 *
 * SECURITY: each is recorded with its identity. By its name alone, an agent could make a directory
 * and have a repository count as its own that the user makes there later.
 */
export async function noteMade(
  stateDir: string,
  root: string,
  names: readonly string[],
): Promise<void> {
  const added: GuardRecord["made"] = [];
  for (const name of names) {
    const identity = await identityOf(root, name);
    if (identity !== undefined) added.push({ name, identity });
  }
  if (added.length === 0) return;
  await update(stateDir, (record) => {
    const known = new Set([...names, ...(record?.protected ?? []).map((entry) => entry.name)]);
    const kept = (record?.made ?? []).filter((entry) => !known.has(entry.name));
    const own = added.filter((entry) => !record?.protected.some(({ name }) => name === entry.name));
    return { protected: record?.protected ?? [], made: [...kept, ...own].slice(-MAX_MADE) };
  });
}

/** Whether a path is still the one that appeared there while an agent worked. */
export async function isAgents(
  root: string,
  name: string,
  record: GuardRecord | undefined,
): Promise<boolean> {
  const noted = record?.made.find((entry) => entry.name === name);
  if (noted === undefined || record?.protected.some((entry) => entry.name === name)) return false;
  return noted.identity === (await identityOf(root, name));
}

/**
 * The identity of a path and of the parts by which a repository is told from another: one that is
 * made again in the same directory has another HEAD.
 */
async function identityOf(root: string, name: string): Promise<string | undefined> {
  const path = join(root, name);
  const own = await fileIdentity(path);
  if (own === undefined) return undefined;
  const parts = ["HEAD", "config", "objects", "commondir", "hgrc", "repo"];
  const inner = await Promise.all(parts.map((part) => fileIdentity(join(path, part))));
  return [own, ...inner.map((identity) => identity ?? "-")].join(" ");
}

/** Reads, changes and writes the record under a lock. */
async function update(
  stateDir: string,
  change: (record: GuardRecord | undefined) => GuardRecord,
): Promise<void> {
  using _lock = await takeLock({ dir: join(stateDir, "locks"), name: "protected" });
  const read = await readGuardRecord(stateDir);
  if (!read.ok) throw new Error(read.error.message);
  await writeGuardRecord(stateDir, change(read.value));
}

/** Writes the record. Rejects if it cannot be written. */
export async function writeGuardRecord(stateDir: string, record: GuardRecord): Promise<void> {
  const { protected: all, made } = record;
  const text = `${JSON.stringify({ protected: all, made }, undefined, 1)}\n`;
  await writePrivate(pathIn(stateDir), text);
}

/** The paths that are protected from now on, and the record to keep. */
export type MergedGuard = {
  readonly protected: readonly ProtectedPath[];
  readonly record: GuardRecord;
  /** Sentences about paths that are gone. */
  readonly notes: readonly string[];
};

/** What is at a path now: `other` is a link, or something else that cannot be mounted. */
export type PathKind = ProtectedPath["kind"] | "other" | undefined;

/**
 * Merges the paths that are found now with those that were protected before. A path that still
 * exists stays protected, even if the configuration no longer names it.
 *
 * Errors: a reason and a fix, if git's own directory is gone or a path can no longer be mounted in
 * the same way.
 */
export async function mergeGuard(
  now: readonly ProtectedPath[],
  before: GuardRecord | undefined,
  kindOf: (name: string) => Promise<PathKind>,
): Promise<Result<MergedGuard, { readonly reason: string; readonly fix: string }>> {
  const all = new Map(now.map((entry) => [entry.name, entry]));
  const notes: string[] = [];
  const dropped: string[] = [];
  for (const old of before?.protected ?? []) {
    const found = all.get(old.name);
    // The submodule is checked out now: its `.git` is protected, and the agent may write its files.
    if (old.isPlaceholder === true && found === undefined && all.has(join(old.name, ".git"))) {
      dropped.push(old.name);
      continue;
    }
    const kind = found?.kind ?? (await kindOf(old.name));
    if (kind === old.kind) {
      all.set(old.name, { ...(found ?? old), gone: undefined });
      continue;
    }
    // Git itself replaces one by the other, as in `git submodule absorbgitdirs`.
    if (found !== undefined && old.name.endsWith("/.git")) {
      notes.push(`${old.name} was a ${old.kind} and is a ${found.kind} now, which is read-only.`);
      continue;
    }
    if (kind !== undefined || old.name === ".git") return err(changed(old, kind));
    all.set(old.name, { ...old, gone: true });
    if (old.gone !== true)
      notes.push(
        `${old.name} was read-only in the sandbox and is gone: the agent can create it again, and your machine may run that.`,
      );
  }
  const kept = [...all.values()];
  return ok({
    protected: kept.filter((entry) => entry.gone !== true),
    record: { protected: kept, made: before?.made ?? [], dropped },
    notes,
  });
}

function changed({ name, kind }: ProtectedPath, now: PathKind) {
  const is =
    now === undefined ? "is gone" : now === "other" ? "is a link or reached by one" : `is a ${now}`;
  return {
    reason: `${name} was a ${kind} and read-only in the sandbox, and now it ${is}: your machine might run what the agent puts there`,
    fix: `Put it back. If you changed it yourself: :CodexChat sandbox unprotect ${name}`,
  };
}

function unreadable(path: string, reason: string, cause?: unknown): SandboxError {
  return {
    kind: "state_unwritable",
    message: `The list of protected files of this project cannot be read (${reason}), so it is not known which files the agent must not change.`,
    fix: `ls -l ${quoteForShell(path)}\nIf you trust the project as it is now: rm ${quoteForShell(path)}`,
    path,
    cause,
  };
}

function pathIn(stateDir: string): string {
  return join(stateDir, "protected.json");
}
