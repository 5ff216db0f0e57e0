import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { link, lstat, open, rename, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../error-code.ts";
import { resolvedOrSame } from "../../paths.ts";
import { bootId, isAlive, startTimeOf } from "../../process/index.ts";
import { err, ok, type Result } from "../../result.ts";

/** Why a conversation's file could not be taken for writing. */
export type LockError =
  /** Another process that is alive writes it. */
  | { readonly kind: "locked"; readonly pid: number; readonly message: string }
  /** What stands in the lock's place is a link or no file: nothing of ours. */
  | { readonly kind: "strange"; readonly message: string }
  /** The lock could not be made or read; `code` as of errno. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** What is being written into a conversation: nothing, an answer to a query, or something else. */
export type UnfinishedAnswer = "nothing" | "answer" | "other";

/** In the lock as one digit, so that its text stays whole whenever its process is killed. */
const DIGITS: readonly UnfinishedAnswer[] = ["nothing", "answer", "other"];
const FIELD = '"turn":';

/** A file that this process alone writes. */
export type FileLock = {
  readonly path: string;
  /** What was under way when the process died that had the lock before. */
  readonly left: UnfinishedAnswer;
  /** Notes what is under way, for the next holder if this process dies. Never rejects. */
  readonly note: (what: UnfinishedAnswer) => Promise<void>;
  readonly release: () => Promise<void>;
};

/** A process: pids are reused, across machines and boots too. */
type Holder = {
  readonly pid: number;
  readonly startTime: string;
  readonly boot: string;
  readonly host: string;
  /** What is under way, by its place in `DIGITS`; absent in a lock of an older version. */
  readonly turn?: number;
};

/** How long the maker of a lock has for writing its holder into it, in ms. */
const makingMs = 10_000;

/**
 * Where the lock of a conversation is: beside it in the state directory, and in the state directory
 * for one that lies elsewhere, named by its path. `lua/codex-chat/project/init.lua` says the same.
 *
 * SECURITY: the agent can write in the project. A lock there could keep the user from the
 * conversation for ever, and one that is taken away lets two Neovims have it.
 */
export function lockPath(file: string, stateDir: string | undefined): string {
  if (stateDir === undefined || file.startsWith(`${stateDir}/`)) return `${file}.lock`;
  const key = `${resolvedOrSame(dirname(file))}/${basename(file)}`;
  return join(stateDir, "locks", `${createHash("sha256").update(key).digest("hex")}.lock`);
}

/**
 * Takes a file's lock, by default `<file>.lock`, which names this process by pid and start time. A lock whose process is
 * provably gone is taken over; one that cannot be judged counts as held.
 *
 * SECURITY: the directory may lie in the project, where the sandbox can write: links are not
 * followed, and what is read is bounded.
 */
export async function lockFile(
  file: string,
  path = `${file}.lock`,
): Promise<Result<FileLock, LockError>> {
  const self = await ownHolder();
  const content = `${JSON.stringify({ ...self, turn: 0 })}\n`;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const made = await makeLock(path, content);
    if (made !== "exists") return made;
    const judged = await judge(path, self);
    if (!judged.ok) return judged;
    if (judged.value.at === "gone") continue;
    const taken = await takeOver(path, content, self);
    if (taken !== "exists") return taken;
  }
  return err({
    kind: "failed",
    code: "EAGAIN",
    message: `${path} is made and removed by other processes; try again`,
  });
}

/** Who has a file's lock: nobody, this process, or another one. One that cannot be judged counts as another's. */
export async function holderOf(path: string): Promise<"nobody" | "self" | "other"> {
  const judged = await judge(path, await ownHolder());
  if (judged.ok) return "nobody";
  return judged.error.kind === "locked" && judged.error.pid === process.pid ? "self" : "other";
}

async function makeLock(
  path: string,
  content: string,
  left: UnfinishedAnswer = "nothing",
): Promise<Result<FileLock, LockError> | "exists"> {
  try {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    const file = await open(path, flags, 0o600);
    try {
      await file.writeFile(content);
      const { ino } = await file.stat();
      return ok({
        path,
        left,
        note: (what) => noteIn(path, ino, placeIn(content), what),
        release: () => takeAway(path, ino),
      });
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = codeOf(cause);
    return code === "EEXIST" ? "exists" : err(failed(path, code));
  }
}

/**
 * Puts our lock in place of one whose process is gone. Only one process at a time may: the file could
 * be another's new lock by now, and its inode the same as that of the old one.
 */
async function takeOver(
  path: string,
  content: string,
  self: Holder,
): Promise<Result<FileLock, LockError> | "exists"> {
  const right = `${path}.taking`;
  const mine = await makeLock(right, content);
  if (mine === "exists") {
    const stat = await lstat(right).catch(() => undefined);
    if (stat === undefined) return "exists";
    if (Date.now() - stat.mtimeMs < makingMs) return err(held(path, 0));
    // Its process was killed within a few milliseconds.
    await takeAway(right, stat.ino);
    return "exists";
  }
  if (!mine.ok) return mine;
  try {
    const judged = await judge(path, self);
    if (!judged.ok) return judged;
    const { at, underWay } = judged.value;
    if (at !== "gone") await unlink(path);
    return await makeLock(path, content, underWay);
  } catch (cause) {
    return codeOf(cause) === "ENOENT" ? "exists" : err(failed(path, codeOf(cause)));
  } finally {
    await mine.value.release();
  }
}

/** Whether a lock is left by a process that is gone, with what, or gone itself. */
type Judged = { readonly at: "left" | "gone"; readonly underWay: UnfinishedAnswer };

async function judge(path: string, self: Holder): Promise<Result<Judged, LockError>> {
  try {
    const stat = await lstat(path);
    if (!stat.isFile()) {
      return err({
        kind: "strange",
        message: `${path} is not a plain file; look what it is, then remove it with \`rm\``,
      });
    }
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const buffer = Buffer.alloc(1024);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0).finally(() => file.close());
    const holder = parseHolder(buffer.toString("utf8", 0, bytesRead));
    if (holder === undefined) {
      return Date.now() - stat.mtimeMs > makingMs
        ? ok({ at: "left", underWay: "nothing" })
        : err(held(path, 0));
    }
    const underWay = DIGITS[holder.turn ?? 0] ?? "nothing";
    return (await mayLive(holder, self))
      ? err(held(path, holder.pid))
      : ok({ at: "left", underWay });
  } catch (cause) {
    const code = codeOf(cause);
    return code === "ENOENT" ? ok({ at: "gone", underWay: "nothing" }) : err(failed(path, code));
  }
}

/** Where the digit stands, in bytes. */
function placeIn(content: string): number {
  return Buffer.byteLength(content.slice(0, content.lastIndexOf(FIELD) + FIELD.length));
}

/** Writes one digit over another. A lock that is not to be written says then what it said before. */
async function noteIn(
  path: string,
  ino: number,
  at: number,
  what: UnfinishedAnswer,
): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      if ((await file.stat()).ino === ino) await file.write(String(DIGITS.indexOf(what)), at);
    } finally {
      await file.close();
    }
  } catch {
    // It is gone, or its disk is: what it would have told is not worth a word.
  }
}

/** Removes the lock if it is still that very file; another's is put back. */
async function takeAway(path: string, ino: number): Promise<void> {
  const aside = `${path}.${process.pid}.gone`;
  try {
    if ((await lstat(path)).ino !== ino) return;
    await rename(path, aside);
    if ((await lstat(aside)).ino === ino) await unlink(aside);
    else await link(aside, path).then(() => unlink(aside));
  } catch {
    // It is gone already, or its directory is: there is nothing left to release.
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, startTime, boot, host, turn } = value as Record<string, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
    if (typeof startTime !== "string" || typeof boot !== "string") return undefined;
    if (typeof host !== "string") return undefined;
    return { pid, startTime, boot, host, ...(typeof turn === "number" ? { turn } : {}) };
  } catch {
    return undefined;
  }
}

async function ownHolder(): Promise<Holder> {
  const startTime = (await startTimeOf(process.pid)) ?? "";
  const boot = await bootId().catch(() => "");
  return { pid: process.pid, startTime, boot, host: hostname() };
}

/** Whether the process may still run; that of another machine (a shared home) cannot be judged. */
async function mayLive(holder: Holder, self: Holder): Promise<boolean> {
  if (holder.host !== self.host) return true;
  if (holder.boot !== self.boot) return false;
  return isAlive(holder.pid, holder.startTime);
}

function held(path: string, pid: number): LockError {
  const who = pid === 0 ? "another process" : `process ${pid}`;
  return { kind: "locked", pid, message: `${who} writes this conversation (${path})` };
}

function failed(path: string, code: string): LockError {
  return { kind: "failed", code, message: `cannot make ${path}: ${code}` };
}
