import { closeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { changedJustNow } from "../../atomic-write.ts";
import { codeOf } from "../../error-code.ts";
import { openPlace } from "../../place.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  type FileLock,
  type LockError,
  lockFile,
  lockPath,
  type UnfinishedAnswer,
} from "./file-lock.ts";
import { KnownFile, type OtherText, textHash } from "./known-file.ts";
import { type Bulk, bulkOf, charsMissing, losesMuch } from "./loss.ts";

/** Longest time that a change waits before it is written, in ms: the file is never a second behind. */
const saveMs = 400;

/**
 * How much is written at most, in characters per ms, while the text keeps changing: the whole file is
 * written each time. Up to 3 MB, which is a conversation of months, it is written every `saveMs`.
 */
const maxCharsPerMs = 8 * 1024;

/** Longest pause between attempts to write after a failure, in ms. */
const maxRetryMs = 10_000;

/** How often a file is looked at again that another program keeps changing, before that is a problem. */
const maxLooks = 40;

/** Why the file is behind the buffer; it is retried until it succeeds. */
export type SaveProblem = { readonly code: string; readonly message: string };

/** A text that another program has put into the file. */
export type ForeignText = OtherText & {
  /** Whether the text here has changed, too, since the file was read or written. */
  readonly isUnsaved: boolean;
  /** Whether nothing was read or written here before, so that `isUnsaved` is only supposed. */
  readonly isFirst: boolean;
};

/**
 * What becomes of another text in the file: `replace` where nothing is lost by that, because the text is
 * known or a copy is kept; `leave` where the file is not to be written now; `look` where it is just
 * being changed.
 */
export type FileVerdict = "replace" | "leave" | "look";

/** What a store is given. */
export type StoreOptions = {
  /** The conversation's file, absolute; nothing on the way to it is a link (see `openPlace`). */
  readonly path: string;
  /** The state directory, where no agent writes; locks of files that lie elsewhere are kept in it. */
  readonly stateDir?: string;
  /** The text as it is now; asked at the moment of writing. */
  readonly read: () => string;
  /** How many characters were deleted since the last write, even if others were added. */
  readonly deleted?: () => number;
  /** Told when a problem arises, changes, or is over (`undefined`), not at every attempt. */
  readonly onProblem: (problem: SaveProblem | undefined) => void;
  /** Told the revision that now is on disk. */
  readonly onSaved?: (revision: number) => void;
  /**
   * Decides about another text in the file. What it throws is a problem, and the file is not written.
   * Without it, any other text is one.
   */
  readonly onOther?: (found: ForeignText) => Promise<FileVerdict>;
  /** Told the text of before when most of it is about to go; what it throws is a problem, too. */
  readonly onLoss?: (before: string) => void;
  /** Told a text that another program wrote in the moment of a write: it stands nowhere else. */
  readonly onLate?: (late: Uint8Array) => void;
  /** Told the hash of the text that is about to be written, so that others know it as written here. */
  readonly onWriting?: (hash: string) => void;
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
  readonly #lock: FileLock;
  readonly #file: KnownFile;
  /** Of the text in the file, as far as it is known. */
  #bulk: Bulk | undefined;
  readonly #options: Required<Omit<StoreOptions, "stateDir" | "write">>;

  constructor(options: StoreOptions, lock: FileLock) {
    this.#lock = lock;
    const { path, stateDir, write } = options;
    this.#file = new KnownFile(
      path,
      stateDir,
      write === undefined ? undefined : (...args) => write(path, args[1].toString()).then(() => ""),
    );
    this.#options = {
      onSaved: () => undefined,
      onOther: ({ hash }) => Promise.reject(changedElsewhere(hash)),
      onLoss: () => undefined,
      deleted: () => 0,
      onLate: () => undefined,
      onWriting: () => undefined,
      later: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      ...options,
    };
  }

  /** What was being written when the process died that had the file before. */
  get left(): UnfinishedAnswer {
    return this.#lock.left;
  }

  /** Notes what is being written, for who opens the file after this process's death. */
  note(what: UnfinishedAnswer): Promise<void> {
    return this.#lock.note(what);
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

  /**
   * Looks whether another program has changed the file, where nothing here waits to be written: what
   * waits looks itself. Settles when that is dealt with.
   */
  async check(): Promise<void> {
    if (this.#closed !== undefined || this.#phase.at !== "clean") return;
    if (this.#saved !== this.#revision) return;
    const done = this.#checked().then((isKnown) => {
      this.#phase = { at: "clean" };
      if (!isKnown) this.#revision += 1;
      if (this.#closed === undefined && this.#saved !== this.#revision) this.#wait(this.#waitMs);
      return isKnown;
    });
    this.#phase = { at: "writing", done };
    await done;
  }

  /** Writes what is left, once, and releases the lock. */
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  /** Lets go of the file without writing what is left. */
  async abandon(): Promise<void> {
    const running = this.#writing();
    this.#closed ??= (async () => {
      this.#stopWaiting();
      await running;
      await this.#lock.release();
    })();
    await this.#closed;
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

  /** Whether the file holds the text, or is left alone; false where it is now to be written. */
  async #checked(): Promise<boolean> {
    try {
      for (let looks = 1; ; looks += 1) {
        const look = this.#file.look();
        if (look.at !== "other" || looks > maxLooks) return true;
        const hash = textHash(this.#options.read());
        const verdict = await this.#verdict(look, hash);
        if (verdict === "leave") return true;
        if (verdict === "look") continue;
        this.#accept(look);
        return look.hash === hash;
      }
    } catch (cause) {
      // The next write meets it again, and tells of it.
      return codeOf(cause) !== "ECHANGED";
    }
  }

  /** `hash`: of the text here. */
  async #verdict(look: OtherText, hash: string): Promise<FileVerdict> {
    if (look.hash === hash) return "replace";
    const known = this.#file.hash;
    return this.#options.onOther({
      ...look,
      isUnsaved: hash !== known,
      isFirst: known === undefined,
    });
  }

  #accept(look: OtherText): void {
    this.#file.accept(look.hash);
    this.#bulk = bulkOf(look.text);
  }

  /** Has the file hold the text, or leaves it to `onOther`. Throws as the file system does. */
  async #replace(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const text = this.#options.read();
      this.#waitMs = Math.max(saveMs, text.length / maxCharsPerMs);
      const bytes = Buffer.from(text);
      const hash = textHash(bytes);
      const look = this.#file.look();
      if (attempt > maxLooks) throw changedJustNow(this.#options.path);
      if (look.at === "other") {
        const verdict = await this.#verdict(look, hash);
        if (verdict === "leave") return;
        if (verdict === "replace") this.#accept(look);
        // The text may have changed meanwhile, and the file again.
        continue;
      }
      if (look.at === "known" && hash === this.#file.hash) return;
      const bulk = bulkOf(text);
      const before = look.at === "known" ? this.#bulk : undefined;
      if (before !== undefined && losesMuch(before, bulk, this.#options.deleted())) {
        const old = this.#file.bytes().toString("utf8");
        const missing = charsMissing(old, text);
        if (missing > 0 && losesMuch(before, bulk, missing)) this.#options.onLoss(old);
      }
      const known = this.#file.hash;
      this.#options.onWriting(hash);
      try {
        await this.#file.write(bytes, hash, this.#options.onLate);
        this.#bulk = bulk;
        return;
      } catch (cause) {
        // What was not written must not count as saved.
        if (known !== undefined) this.#options.onWriting(known);
        if (codeOf(cause) !== "ECHANGED" || attempt > 3) throw cause;
      }
    }
  }

  async #attempt(): Promise<boolean> {
    const revision = this.#revision;
    try {
      await this.#replace();
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
  EACCES: "you may not write there: fix it with `chmod u+w`",
  EPERM: "you may not write there: fix it with `chmod u+w`",
  EROFS: "the file system is read-only",
  ENOENT: "its directory is gone: make it again with `mkdir -p`",
};

function changedElsewhere(hash: string): Error {
  const message = `another text was put there (sha256 ${hash.slice(0, 12)}): look at it, then move it away`;
  return Object.assign(new Error(message), { code: "EOTHER" });
}

function problemOf(path: string, cause: unknown): SaveProblem {
  const code = codeOf(cause);
  const fix = MENDS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return {
    code,
    message: `the conversation is not saved to ${path}: ${fix}; it is tried again until it works`,
  };
}
