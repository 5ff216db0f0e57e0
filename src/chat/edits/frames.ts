import type { Result } from "../../result.ts";
import { Backlog } from "./backlog.ts";
import type { Edit } from "./edits.ts";

/** Time between the end of one frame and the next, in ms: about 30 a second. */
const frameMs = 33;

/**
 * The most that one frame holds. Neovim takes no key while it applies one: 500 new blocks take it
 * about 30 ms, and a frame of an ordinary answer is a hundredth of this.
 */
const maxFrameEdits = 512;
const maxFrameChars = 256 * 1024;
/** How long a frame may take in ms; one that took longer is followed by one of half the size. */
const slowMs = 25;
/** The smallest part of a whole frame that a slow editor is given. */
const minShare = 1 / 64;

/** Why frames did not reach the editor. */
export type FrameError =
  /** The editor answered that it could not apply a frame. */
  | { readonly kind: "refused"; readonly message: string }
  /** The call itself failed: the editor is gone, or did not understand. */
  | { readonly kind: "failed"; readonly message: string; readonly cause: unknown }
  /** The editor takes nothing, and more than `maxBacklogChars` wait: edits are lost until it does again. */
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
  /** A clock in ms. */
  readonly now?: () => number;
};

type Phase =
  | { readonly at: "idle" }
  | { readonly at: "sending" }
  | { readonly at: "cooling"; readonly cancel: () => void }
  | { readonly at: "closed" };

/**
 * Collects edits and hands them to the editor in frames: one in flight, the next at the earliest
 * `intervalMs` after it was applied. A frame is bounded, and a slow editor gets smaller ones, so that
 * it comes to the user's keys between two of them; what is more than a frame waits.
 */
export class FrameScheduler {
  #phase: Phase = { at: "idle" };
  readonly #backlog = new Backlog();
  #overflowed = false;
  /** The part of a whole frame that the editor takes fast enough. */
  #share = 1;
  /** Those who wait, each until the edit of this number was applied. */
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
   * Sends what waits without waiting for the next frame; settles when all of it is applied, whatever
   * is pushed meanwhile.
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

  /** Stops: nothing more is sent, and every `flush` settles. */
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
    // Below half of it and not at its end, so that edits are not lost and told in turns.
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
