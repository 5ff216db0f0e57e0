import type { AuditEntry } from "./entry.ts";
import { LogFile } from "./log-file.ts";
import { RateLimit } from "./rate-limit.ts";
import { auditLine } from "./serialize.ts";

/** The audit log of a project. */
export type Audit = {
  /** Queues an entry, which is written soon; never blocks. */
  readonly record: (entry: AuditEntry) => void;
  /** Settles when all queued entries are written, or cannot be written. Idempotent. */
  readonly close: () => Promise<void>;
};

/** Options of an audit log. */
export type AuditOptions = {
  /** The file, in a directory out of the agent's reach. */
  readonly path: string;
  /** Called once when writing fails, with a sentence for the user. */
  readonly onProblem: (message: string) => void;
  /** Called when writing works again and all that waited is written. */
  readonly onMended?: () => void;
  readonly now?: () => number;
  readonly maxFileBytes?: number;
};

/** How many lines may wait for a slow or full disk. */
const MAX_WAITING = 1000;
/** How many lines one write may have. */
const BATCH = 100;

/**
 * Opens a project's audit log; the file is created with the first entry.
 *
 * It fails open: if the disk is full or the file cannot be opened, the turn goes on and the user is
 * told once. The sandbox's protection does not depend on the log, and a disk that the agent has
 * filled must not end the conversation.
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
    // Checked before the line is serialized: a flood must cost next to nothing.
    if (this.#limit.refuses(event)) return;
    const line = this.#line({ event, ...rest });
    if (this.#limit.admits(event, Buffer.byteLength(line))) this.#add(line);
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

  /** Lines that come during a write go together into the next one. */
  async #drain(): Promise<void> {
    // Entries recorded in the same tick are written together.
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
      // The lines stay queued; the next entry triggers another attempt.
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
      `The audit log cannot be written: ${why}. The turn goes on, but nothing is recorded until this is fixed.`,
    );
  }
}
