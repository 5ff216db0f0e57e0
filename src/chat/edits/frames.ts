import type { Result } from "../../result.ts";
import { Backlog } from "./backlog.ts";
import type { Edit } from "./edits.ts";

/** Milliseconds between the end of one frame and the next: about 30 frames per second. */
const frameMs = 33;

/**
 * The size of the largest frame. Neovim takes no key while it applies one: 500 new blocks take
 * about 30 ms. A frame of an ordinary answer has a hundredth of this.
 */
const maxFrameEdits = 512;
const maxFrameChars = 256 * 1024;
/** After a frame that took longer than this many milliseconds, the next has half the size. */
const slowMs = 25;
/** The smallest share of a full frame for a slow editor. */
const minShare = 1 / 64;

/** Why frames did not reach the editor. */
export type FrameError =
  /** The editor answered that it could not apply a frame. */
  | { readonly kind: "refused"; readonly message: string }
  /** The call itself failed: the editor is gone, or did not understand it. */
  | { readonly kind: "failed"; readonly message: string; readonly cause: unknown }
  /** The editor applies nothing, and more than `maxBacklogChars` wait: further edits are lost. */
  | { readonly kind: "overflow"; readonly message: string };

/** Options of the scheduler. */
export type FrameOptions = {
  /** Sends one frame to the editor; settles when it has been applied. */
  readonly send: (edits: readonly Edit[]) => Promise<Result<void, { readonly message: string }>>;
  readonly onError: (error: FrameError) => void;
  readonly intervalMs?: number;
  /** How many characters may wait before the editor counts as stuck. */
  readonly maxBacklogChars?: number;
  /** Calls `run` after `ms`; returns a function that cancels it. For tests without real time. */
  readonly later?: (run: () => void, ms: number) => () => void;
  /** A clock in ms. */
  readonly now?: () => number;
};

type Phase =
  | { readonly at: "idle" }
  | { readonly at: "sending" }
  | { readonly at: "cooling"; readonly cancel: () => void }
  | { readonly at: "closed" };

/**
 * Collects edits and sends them to the editor in frames: one in flight, the next at the earliest
 * `intervalMs` after it was applied. Frames are bounded, and a slow editor gets smaller ones, so
 * that it can handle the user's keys between two of them. Further edits wait.
 */
export class FrameScheduler {
  #phase: Phase = { at: "idle" };
  readonly #backlog = new Backlog();
  #overflowed = false;
  /** The share of a full frame that the editor applies fast enough. */
  #share = 1;
  /** Pending `flush` calls, each waiting for the edit of this number. */
  #waiters: { readonly until: number; readonly settle: () => void }[] = [];
  readonly #options: Required<FrameOptions>;

  constructor(options: FrameOptions) {
    this.#options = {
      intervalMs: frameMs,
      maxBacklogChars: 64 * 1024 * 1024,
      later: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      now: () => performance.now(),
      ...options,
    };
  }

  /** Adds edits to the next frame. */
  push(edits: readonly Edit[]): void {
    if (edits.length === 0 || this.#phase.at === "closed" || this.#overflowed) return;
    for (const edit of edits) this.#backlog.push(edit);
    if (this.#backlog.chars > this.#options.maxBacklogChars) {
      this.#overflowed = true;
      this.#options.onError({
        kind: "overflow",
        message: "the editor applies no edits, and too many wait: those that come now are lost",
      });
    }
    if (this.#phase.at === "idle") this.#sendFrame();
  }

  /**
   * Sends all waiting edits at once; settles when they are applied, even if more are pushed
   * meanwhile.
   */
  flush(): Promise<void> {
    if (this.#phase.at === "cooling") {
      this.#phase.cancel();
      this.#phase = { at: "idle" };
    }
    if (this.#phase.at === "idle" && !this.#backlog.isEmpty) this.#sendFrame();
    if (this.#phase.at !== "sending") return Promise.resolve();
    const until = this.#backlog.latest;
    return new Promise((settle) => this.#waiters.push({ until, settle }));
  }

  /** Stops sending, and settles every pending `flush`. */
  close(): void {
    if (this.#phase.at === "cooling") this.#phase.cancel();
    this.#phase = { at: "closed" };
    this.#backlog.clear();
    this.#settle(() => true);
  }

  #sendFrame(): void {
    const edits = this.#backlog.take(
      Math.ceil(maxFrameEdits * this.#share),
      Math.ceil(maxFrameChars * this.#share),
    );
    // Only below half, so that losing and sending edits do not alternate.
    if (this.#backlog.chars * 2 < this.#options.maxBacklogChars) this.#overflowed = false;
    this.#phase = { at: "sending" };
    const began = this.#options.now();
    const done = () => this.#afterFrame(this.#options.now() - began);
    this.#hand(edits).then(done, done);
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

  #afterFrame(tookMs: number): void {
    if (this.#phase.at === "closed") return;
    if (tookMs > slowMs) this.#share = Math.max(minShare, this.#share / 2);
    else if (tookMs < slowMs / 2) this.#share = Math.min(1, this.#share * 2);
    const { oldest } = this.#backlog;
    this.#settle(({ until }) => oldest > until);
    if (this.#waiters.length > 0) {
      this.#sendFrame();
      return;
    }
    const cancel = this.#options.later(() => {
      this.#phase = { at: "idle" };
      if (!this.#backlog.isEmpty) this.#sendFrame();
    }, this.#options.intervalMs);
    this.#phase = { at: "cooling", cancel };
  }

  #settle(which: (waiter: { readonly until: number }) => boolean): void {
    const done = this.#waiters.filter(which);
    this.#waiters = this.#waiters.filter((waiter) => !which(waiter));
    for (const { settle } of done) settle();
  }
}
