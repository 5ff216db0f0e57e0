/** Bounds of one scan; one that meets a bound makes no checkpoint. */
export const BOUNDS = {
  /** This many entries take a second. */
  entries: 300_000,
  ms: 120_000,
  /** Directories below this many others are not recorded: git is asked once for each level. */
  depth: 100,
  /** New contents of one checkpoint. */
  bytes: 2 * 1024 ** 3,
  /** A larger file is not recorded. */
  fileBytes: 10 * 1024 ** 2,
  /** A directory that the ignore rules hide is recorded up to this many entries, */
  ignoredPerDir: 500,
  /** and all of them together up to this. */
  ignored: 5000,
  /** A directory of more bytes (some ten thousand names) is read in parts. */
  dirBytes: 256 * 1024,
  /** Some hundred ignore rules and 300,000 paths take ten seconds. */
  ignoreMs: 30_000,
  /** A file that changed so shortly before it was read may change again with the same times. */
  racyMs: 2000,
} as const;

export type Bounds = Readonly<Record<keyof typeof BOUNDS, number>>;

/** A scan that met a bound, or could not look at the project; the message is without its end. */
export class ScanFailure extends Error {
  readonly kind: "too_large" | "failed";

  constructor(kind: ScanFailure["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** How long the host's other work may have to wait. */
const SLICE_MS = 4;

/** Cuts long work that does not wait for anything into slices. */
export class Slices {
  readonly #signal: AbortSignal;
  readonly #ms: number;
  readonly #untilMs: number;
  #sliceMs = performance.now();

  constructor(signal: AbortSignal, ms: number) {
    this.#signal = signal;
    this.#ms = ms;
    this.#untilMs = performance.now() + ms;
  }

  /** Whether other work has waited for long enough. */
  get isOver(): boolean {
    return performance.now() - this.#sliceMs >= SLICE_MS;
  }

  /**
   * Lets other work run.
   *
   * @throws `ScanFailure` where all of it has taken too long, or the signal's reason
   */
  async breathe(): Promise<void> {
    if (performance.now() > this.#untilMs)
      throw new ScanFailure("too_large", `looking at it took more than ${this.#ms / 1000} s`);
    await new Promise(setImmediate);
    this.#signal.throwIfAborted();
    this.#sliceMs = performance.now();
  }
}
