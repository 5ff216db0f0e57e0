import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { quoteForShell } from "../../look.ts";
import { ownUid, ownUser } from "../../own-user.ts";
import { childEnv, program } from "../../programs.ts";
import { ownDirectory, readOwnFile } from "../private-file.ts";
import { StateFault } from "../state-fault.ts";

/** A lock's name, and its directory, which only this user can enter; created if it is missing. */
export type LockPlace = { readonly dir: string; readonly name: string };

/** A held lock; `release` is idempotent. */
export type MachineLock = {
  readonly release: () => void;
  readonly [Symbol.dispose]: () => void;
};

/** How to wait for a lock. */
export type LockOptions = {
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the lock's holder every `patienceMs`, even if it has not changed: others may have
   * begun to wait meanwhile.
   */
  readonly onWait?: ((holder: string) => void) | undefined;
  readonly patienceMs?: number;
};

/** Shorter waits are not reported. */
const PATIENCE_MS = 3000;

/**
 * Takes the lock, and waits for its holder. It is flock(2) on a file in a directory that no other
 * user can enter, so nobody else can hold it. The kernel ties the lock to the open file: it ends
 * with the process, however that dies, and works between pid namespaces that share the directory.
 * Node has no flock, so flock(1) locks a descriptor that it inherits, and the lock stays with this
 * process when flock(1) ends.
 *
 * The directory belongs to the state and not to `$XDG_RUNTIME_DIR`: some sessions lack that one, and
 * the last logout empties it, so two processes could lock two different files.
 *
 * Rejects with `signal.reason` when aborted, and with a `StateFault` if the lock cannot be taken.
 */
export async function takeLock(place: LockPlace, options: LockOptions = {}): Promise<MachineLock> {
  options.signal?.throwIfAborted();
  const path = await lockPath(place);
  for (;;) {
    const file = openLockFile(path);
    let isTaken = false;
    try {
      const waiting = reportHolder(path, options);
      try {
        await flock(path, file, ["-x"], options.signal);
      } finally {
        waiting();
      }
      options.signal?.throwIfAborted();
      isTaken = isStillAt(file, path);
    } finally {
      if (!isTaken) closeSync(file);
    }
    if (isTaken) return held(file);
  }
}

/** Takes the lock if nobody holds it. Rejects like `takeLock`. */
export async function tryLock(
  place: LockPlace,
  { signal }: Pick<LockOptions, "signal"> = {},
): Promise<MachineLock | undefined> {
  signal?.throwIfAborted();
  const path = await lockPath(place);
  const file = openLockFile(path);
  let isTaken = false;
  try {
    const isFree = await flock(path, file, ["-x", "-n"], signal);
    signal?.throwIfAborted();
    isTaken = isFree && isStillAt(file, path);
  } finally {
    if (!isTaken) closeSync(file);
  }
  return isTaken ? held(file) : undefined;
}

/** The file of a lock. Rejects unless its directory belongs to this user alone. */
async function lockPath({ dir, name }: LockPlace): Promise<string> {
  const path = join(dir, `${createHash("sha256").update(name).digest("hex").slice(0, 32)}.lock`);
  let problem: Awaited<ReturnType<typeof ownDirectory>>;
  try {
    problem = await ownDirectory(dir);
  } catch (cause) {
    throw failed(path, cause);
  }
  if (problem === null) return path;
  const fix = `ls -ld ${quoteForShell(dir)}\nMove it away: another user could hold the locks in it.`;
  throw untakable(path, `${problem.path} ${problem.what}`, fix);
}

/** Lock files are never removed: a process with a removed file open would hold a lock nobody sees. */
function openLockFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: number | undefined;
  try {
    // Open for writing: NFS gives no exclusive lock otherwise.
    file = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const stat = fstatSync(file);
    if (stat.isFile() && stat.uid === ownUid()) return file;
  } catch (cause) {
    if (file !== undefined) closeSync(file);
    throw failed(path, cause);
  }
  closeSync(file);
  throw untakable(path, "it is not a file of your own", `ls -l ${quoteForShell(path)}`);
}

/**
 * Runs flock(1) on the open file. False if `args` say not to wait and the lock is held. Ends the
 * program when aborted; a lock that it took meanwhile goes with the descriptor.
 */
async function flock(
  path: string,
  file: number,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const child = spawn(program("flock"), [...args, "3"], {
    // If this process's own working directory were removed, the program would look missing.
    cwd: "/",
    env: { ...childEnv(), LC_ALL: "C" },
    // Neovim (0.12) sends SIGTERM to the host's process group when it ends, and the host needs locks
    // to put away what it has started.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", file],
  });
  const stop = () => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  try {
    const ended = new Promise<{ code: number | null; by: NodeJS.Signals | null }>(
      (resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code, by) => resolve({ code, by }));
      },
    );
    const said = child.stderr === null ? "" : text(child.stderr).catch(() => "");
    const { code, by } = await ended;
    signal?.throwIfAborted();
    if (code === 0) return true;
    const words = (await said).trim();
    if (code === 1 && words === "" && args.includes("-n")) return false;
    const why = words || (by === null ? `flock ended with ${code}` : `flock got ${by}`);
    throw untakable(path, why, `flock -n ${quoteForShell(path)} true; df ${quoteForShell(path)}`);
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof StateFault ? cause : failed(path, cause);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** False if the file was removed or replaced meanwhile: others then lock another file. */
function isStillAt(file: number, path: string): boolean {
  const [own, there] = [fstatSync(file, { bigint: true }), entryAt(path)];
  return there !== undefined && own.ino === there.ino && own.dev === there.dev;
}

function entryAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failed(path, cause);
  }
}

function held(file: number): MachineLock {
  try {
    writeHolder(file);
  } catch {
    // On a full disk the lock works, and waiters are not told who holds it.
  }
  let isHeld = true;
  const release = () => {
    if (!isHeld) return;
    isHeld = false;
    closeSync(file);
  };
  return { release, [Symbol.dispose]: release };
}

/** The holder as its lock file names it; for a moment this may still be the last holder. */
const Holder = z.object({
  pid: z.int(),
  program: z.string(),
  user: z.string(),
  sinceMs: z.number(),
});

function writeHolder(file: number): void {
  const holder: z.infer<typeof Holder> = {
    pid: process.pid,
    program: basename(process.argv[1] ?? process.execPath),
    user: ownUser().name,
    sinceMs: Date.now(),
  };
  const line = Buffer.from(`${JSON.stringify(holder)}\n`);
  ftruncateSync(file, writeSync(file, line, 0, line.length, 0));
}

/** Reports the holder until the returned function is called. */
function reportHolder(path: string, { onWait, patienceMs = PATIENCE_MS }: LockOptions): () => void {
  if (onWait === undefined) return () => {};
  let isOver = false;
  const report = async () => {
    const now = await holderOf(path);
    if (!isOver) onWait(now);
  };
  const timer = setInterval(() => void report(), patienceMs);
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}

async function holderOf(path: string): Promise<string> {
  try {
    const { pid, program, user, sinceMs } = Holder.parse(
      JSON.parse((await readOwnFile(path)) ?? ""),
    );
    const since = new Date(sinceMs).toLocaleTimeString("en-GB");
    return `process ${pid} (${program}, ${user}) has held its lock since ${since}`;
  } catch {
    return `${path} is held`;
  }
}

/** Without flock no sandbox is opened: nothing else keeps two Neovims apart. */
export const FLOCK_MISSING = {
  message: "the program flock is missing",
  fix: "sudo apt-get install util-linux   # or your system's name for it",
};

function failed(path: string, cause: unknown): StateFault {
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT" && syscall?.startsWith("spawn") === true)
    return untakable(path, FLOCK_MISSING.message, FLOCK_MISSING.fix, cause);
  return untakable(
    path,
    message,
    `ls -ld ${quoteForShell(path)}; df ${quoteForShell(path)}`,
    cause,
  );
}

function untakable(path: string, why: string, fix: string, cause?: unknown): StateFault {
  return new StateFault({
    path,
    message: `The lock ${path} cannot be taken: ${why}.`,
    fix,
    cause,
  });
}
