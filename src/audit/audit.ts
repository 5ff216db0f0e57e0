import type { AuditEntry } from "./entry.ts";
import { LogFile } from "./log-file.ts";
import { RateLimit } from "./rate-limit.ts";
import { auditLine } from "./serialize.ts";

/** Records what happens in a project. */
export type Audit = {
  /** Takes an entry; it is written soon, and never waited for. */
  readonly record: (entry: AuditEntry) => void;
  /** Settles when all that was taken is written, or was found not to be writable. Idempotent. */
  readonly close: () => Promise<void>;
};

/** What an audit log is opened with. */
export type AuditOptions = {
  /** The file, in a directory out of the agent's reach. */
  readonly path: string;
  /** Told once, when something could not be written, with a sentence for the user. */
  readonly onProblem: (message: string) => void;
  /** All is written again, what waited included. */
  readonly onMended?: () => void;
  readonly now?: () => number;
  readonly maxFileBytes?: number;
};

/** How many lines wait for a disk that is slow, or full. */
const MAX_WAITING = 1000;
/** How many lines one write has. */
const BATCH = 100;

/**
 * Opens a project's log; the file is made when there is something to write.
 *
 * It fails open: where the disk is full or the file is not to be had, the turn goes on and the user
 * is told once. What the sandbox holds back does not depend on being recorded, and a disk that the
 * agent has filled with its own files must not take the conversation down.
 */
export function openAudit(options: AuditOptions): Audit {
  const writer = new Writer(options);
  return { record: (entry) => writer.record(entry), close: () => writer.close() };
}

class Writer {
  readonly #file: LogFile;
  readonly #onProblem: (message: string) => void;
  readonly #onMended: () => void;
  readonly #now: () => number;
  readonly #limit = new RateLimit();
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #isFailing = false;
  #isClosed = false;

  constructor({
    path,
    onProblem,
    onMended = () => {},
    now = Date.now,
    maxFileBytes,
  }: AuditOptions) {
    this.#file = new LogFile(path, maxFileBytes);
    this.#onProblem = onProblem;
    this.#onMended = onMended;
    this.#now = now;
  }

  record(entry: AuditEntry): void {
    if (this.#isClosed) return;
    this.#recordLeftOut(this.#limit.startMinute(this.#now()));
    const { event, ...rest } = entry;
    // Asked before a line is made: a flood must cost next to nothing.
    if (this.#limit.refuses(event)) return;
    const line = this.#line({ event, ...rest });
    if (this.#limit.admits(event, line.length)) this.#add(line);
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#recordLeftOut(this.#limit.takeLeftOut());
      this.#isClosed = true;
    }
    await (this.#writing ?? this.#drain());
    await this.#file.close().catch(() => {});
  }

  #line(fields: Readonly<Record<string, unknown>>): string {
    return auditLine({ time: new Date(this.#now()).toISOString(), pid: process.pid, ...fields });
  }

  #recordLeftOut(all: ReturnType<RateLimit["takeLeftOut"]>): void {
    for (const { event, lines } of all)
      this.#add(this.#line({ event: "left_out", of: event, lines }));
  }

  #add(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) this.#lost++;
    else this.#waiting.push(line);
    this.#writing ??= this.#drain();
  }

  /** Lines that come while others are written go together in the next write. */
  async #drain(): Promise<void> {
    // What happens in the same moment is written together.
    await new Promise(setImmediate);
    try {
      while (this.#waiting.length > 0) {
        const lines = this.#waiting.slice(0, BATCH);
        const lost = this.#lost;
        const lostLine = lost > 0 ? this.#line({ event: "lost", lines: lost }) : "";
        await this.#file.append(lines.join("") + lostLine);
        this.#waiting.splice(0, lines.length);
        this.#lost -= lost;
      }
      if (this.#isFailing) this.#onMended();
      this.#isFailing = false;
    } catch (thrown) {
      // They wait for the next entry, with which it is tried again.
      this.#reportFailure(thrown);
    }
    this.#writing = undefined;
  }

  #reportFailure(thrown: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { code, message } = thrown as NodeJS.ErrnoException;
    const why = code === "ENOSPC" || code === "EDQUOT" ? "there is no space left" : message;
    this.#onProblem(
      `The audit log cannot be written: ${why}. The turn goes on, but what happens is not recorded until this is mended.`,
    );
  }
}
