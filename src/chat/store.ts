import { closeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { err, ok, type Result } from "../result.ts";
import { writeAtomically } from "./atomic-write.ts";
import { type Lock, type LockError, lockFile, lockPath } from "./lock.ts";
import { openPlace } from "./place.ts";

/** Longest time that a change waits before it is written, in ms: the file is never a second behind. */
export const saveMs = 400;

/**
 * How much is written at most, in characters per ms, while the text keeps changing: the whole file is
 * written each time. Up to 3 MB, which is a conversation of months, it is written every `saveMs`.
 */
const maxCharsPerMs = 8 * 1024;

/** Longest pause between attempts to write after a failure, in ms. */
const maxRetryMs = 10_000;

/** Why the file is behind the buffer; it is retried until it succeeds. */
export type SaveProblem = { readonly code: string; readonly message: string };

/** What a store is given. */
export type StoreOptions = {
  /** The conversation's file, absolute; nothing on the way to it is a link (see `openPlace`). */
  readonly path: string;
  /** The state directory, where no agent writes; locks of files that lie elsewhere are kept in it. */
  readonly stateDir?: string;
  /** The text as it is now; asked at the moment of writing. */
  readonly read: () => string;
  /** Told when a problem arises, changes, or is over (`undefined`), not at every attempt. */
  readonly onProblem: (problem: SaveProblem | undefined) => void;
  /** Told the revision that now is on disk. */
  readonly onSaved?: (revision: number) => void;
  readonly later?: (run: () => void, ms: number) => () => void;
  readonly write?: (path: string, text: string) => Promise<void>;
};

type Phase =
  | { readonly at: "clean" }
  | { readonly at: "waiting"; readonly cancel: () => void }
  | { readonly at: "writing"; readonly done: Promise<boolean> };

/**
 * Takes the lock of a conversation's file, makes its directory, and keeps the file up to date.
 */
export async function openStore(
  options: StoreOptions,
): Promise<Result<TranscriptStore, LockError>> {
  try {
    closeSync(openPlace(dirname(options.path), { trusted: options.stateDir, make: true }));
    if (options.stateDir !== undefined)
      await mkdir(dirname(lockPath(options.path, options.stateDir)), {
        recursive: true,
        mode: 0o700,
      });
  } catch (cause) {
    const { code, message } = problemOf(options.path, cause);
    return err({ kind: "failed", code, message });
  }
  const lock = await lockFile(options.path, lockPath(options.path, options.stateDir));
  return lock.ok ? ok(new TranscriptStore(options, lock.value)) : lock;
}

/** Writes a conversation to its file: one write at a time, the latest text, never a partial file. */
export class TranscriptStore {
  #phase: Phase = { at: "clean" };
  #revision = 0;
  #saved = 0;
  #failures = 0;
  /** How long a change waits, by the size of the file. */
  #waitMs = saveMs;
  #problem = "";
  #closed: Promise<void> | undefined;
  readonly #lock: Lock;
  readonly #options: Required<Omit<StoreOptions, "stateDir">>;

  constructor(options: StoreOptions, lock: Lock) {
    this.#lock = lock;
    this.#options = {
      onSaved: () => undefined,
      later: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      write: (path, text) => writeAtomically(path, text, { trusted: options.stateDir }),
      ...options,
    };
  }

  /** Says that the text has changed; gives the revision that `onSaved` will name or pass. */
  changed(): number {
    this.#revision += 1;
    if (this.#closed === undefined && this.#phase.at === "clean") this.#wait(this.#waitMs);
    return this.#revision;
  }

  /** Writes now if anything has changed. Gives whether the file holds the latest text. */
  async flush(): Promise<boolean> {
    const running = this.#writing();
    if (running !== undefined) await running;
    // Another caller that waited for the same write may have begun the next one.
    const next = this.#writing();
    if (next !== undefined) return next;
    this.#stopWaiting();
    return this.#saved === this.#revision ? true : this.#write();
  }

  /** Writes what is left, once, and releases the lock. */
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #finish(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#stopWaiting();
      await this.#lock.release();
    }
  }

  #writing(): Promise<boolean> | undefined {
    return this.#phase.at === "writing" ? this.#phase.done : undefined;
  }

  #stopWaiting(): void {
    if (this.#phase.at === "waiting") this.#phase.cancel();
    this.#phase = { at: "clean" };
  }

  #wait(ms: number): void {
    const cancel = this.#options.later(() => {
      void this.#write();
    }, ms);
    this.#phase = { at: "waiting", cancel };
  }

  #write(): Promise<boolean> {
    const done = this.#attempt().then((written) => {
      this.#phase = { at: "clean" };
      if (this.#closed !== undefined || this.#saved === this.#revision) return written;
      this.#wait(written ? this.#waitMs : Math.min(maxRetryMs, 500 * 2 ** this.#failures));
      return written;
    });
    this.#phase = { at: "writing", done };
    return done;
  }

  async #attempt(): Promise<boolean> {
    const revision = this.#revision;
    try {
      const text = this.#options.read();
      this.#waitMs = Math.max(saveMs, text.length / maxCharsPerMs);
      await this.#options.write(this.#options.path, text);
    } catch (cause) {
      this.#failures = Math.min(this.#failures + 1, 10);
      this.#report(problemOf(this.#options.path, cause));
      return false;
    }
    this.#failures = 0;
    this.#saved = revision;
    this.#report(undefined);
    this.#options.onSaved(revision);
    return true;
  }

  #report(problem: SaveProblem | undefined): void {
    const code = problem?.code ?? "";
    if (code === this.#problem) return;
    this.#problem = code;
    this.#options.onProblem(problem);
  }
}

const MENDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space",
  EDQUOT: "your disk quota is used up: free some space",
  EACCES: "you may not write there: mend it with `chmod u+w`",
  EPERM: "you may not write there: mend it with `chmod u+w`",
  EROFS: "the file system is read-only",
  ENOENT: "its directory is gone: make it again with `mkdir -p`",
};

function problemOf(path: string, cause: unknown): SaveProblem {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  const mend = MENDS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return {
    code,
    message: `the conversation is not saved to ${path}: ${mend}; it is tried again until it works`,
  };
}
