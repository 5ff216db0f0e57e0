import type { Result } from "../result.ts";
import { coalesce } from "./coalesce.ts";
import type { Edit } from "./edits.ts";

/** Time between the end of one frame and the next, in ms: about 30 a second (see facts of speed). */
export const frameMs = 33;

/** Why frames did not reach the editor. */
export type FrameError =
  /** The editor answered that it could not apply a frame. */
  | { readonly kind: "refused"; readonly message: string }
  /** The call itself failed: the editor is gone, or did not understand. */
  | { readonly kind: "failed"; readonly message: string; readonly cause: unknown }
  /** The editor takes nothing any more and more than `maxBacklogChars` wait: later edits are lost. */
  | { readonly kind: "overflow"; readonly message: string };

/** What the scheduler is given. */
export type FrameOptions = {
  /** Hands one frame to the editor and settles when it has been applied. */
  readonly send: (edits: readonly Edit[]) => Promise<Result<void, { readonly message: string }>>;
  readonly onError: (error: FrameError) => void;
  readonly intervalMs?: number;
  /** Most characters that wait before the editor counts as stuck. */
  readonly maxBacklogChars?: number;
  /** Calls `run` after `ms`; gives what undoes it. Injected so that tests need no time. */
  readonly later?: (run: () => void, ms: number) => () => void;
};

type Phase =
  | { readonly at: "idle" }
  | { readonly at: "sending" }
  | { readonly at: "cooling"; readonly cancel: () => void }
  | { readonly at: "closed" };

/**
 * Collects edits and hands them to the editor in frames: one in flight, the next at the earliest
 * `intervalMs` after it was applied, so that a slow editor gets fewer and larger frames.
 */
export class FrameScheduler {
  #phase: Phase = { at: "idle" };
  #backlog: Edit[] = [];
  #chars = 0;
  #overflowed = false;
  /** Those who wait, and how many frames still have to be applied for each. */
  #waiters: { frames: number; readonly settle: () => void }[] = [];
  readonly #options: Required<FrameOptions>;

  constructor(options: FrameOptions) {
    this.#options = {
      intervalMs: frameMs,
      maxBacklogChars: 64 * 1024 * 1024,
      later: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      ...options,
    };
  }

  /** Adds edits to the next frame. */
  push(edits: readonly Edit[]): void {
    if (edits.length === 0 || this.#phase.at === "closed" || this.#overflowed) return;
    this.#chars += edits.reduce((sum, edit) => sum + sizeOf(edit), 0);
    if (this.#chars > this.#options.maxBacklogChars) {
      this.#overflowed = true;
      this.#options.onError({
        kind: "overflow",
        message: "the editor applies no more edits, and too many wait",
      });
      return;
    }
    this.#backlog.push(...edits);
    // A long wait must not cost memory per delta: what can be merged is merged as it grows.
    if (this.#backlog.length >= 2048) this.#backlog = coalesce(this.#backlog);
    if (this.#phase.at === "idle") this.#sendFrame();
  }

  /**
   * Sends what waits without waiting for the next frame; settles when all of it is applied, whatever
   * is pushed meanwhile.
   */
  flush(): Promise<void> {
    if (this.#phase.at === "cooling") {
      this.#phase.cancel();
      this.#phase = { at: "idle" };
    }
    if (this.#phase.at === "idle" && this.#backlog.length > 0) this.#sendFrame();
    if (this.#phase.at !== "sending") return Promise.resolve();
    const frames = this.#backlog.length > 0 ? 2 : 1;
    return new Promise((settle) => this.#waiters.push({ frames, settle }));
  }

  /** Stops: nothing more is sent, and every `flush` settles. */
  close(): void {
    if (this.#phase.at === "cooling") this.#phase.cancel();
    this.#phase = { at: "closed" };
    this.#backlog = [];
    this.#settle(() => true);
  }

  #sendFrame(): void {
    const edits = coalesce(this.#backlog);
    this.#backlog = [];
    this.#chars = 0;
    this.#phase = { at: "sending" };
    this.#hand(edits).then(
      () => this.#afterFrame(),
      () => this.#afterFrame(),
    );
  }

  async #hand(edits: readonly Edit[]): Promise<void> {
    try {
      const result = await this.#options.send(edits);
      if (!result.ok) this.#options.onError({ kind: "refused", message: result.error.message });
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      this.#options.onError({ kind: "failed", message, cause });
    }
  }

  #afterFrame(): void {
    if (this.#phase.at === "closed") return;
    for (const waiter of this.#waiters) waiter.frames -= 1;
    this.#settle((waiter) => waiter.frames === 0);
    if (this.#waiters.length > 0) {
      this.#sendFrame();
      return;
    }
    const cancel = this.#options.later(() => {
      this.#phase = { at: "idle" };
      if (this.#backlog.length > 0) this.#sendFrame();
    }, this.#options.intervalMs);
    this.#phase = { at: "cooling", cancel };
  }

  #settle(which: (waiter: { readonly frames: number }) => boolean): void {
    const done = this.#waiters.filter(which);
    this.#waiters = this.#waiters.filter((waiter) => !which(waiter));
    for (const { settle } of done) settle();
  }
}

function sizeOf(edit: Edit): number {
  switch (edit.op) {
    case "append":
      return edit.text.length;
    case "insert":
    case "replace":
      return edit.lines.reduce((sum, line) => sum + line.length + 1, 0);
    default:
      return 0;
  }
}
