import { createHash } from "node:crypto";
import * as z from "zod";
import type { Progress } from "../../log.ts";

/** How long each step of a build took, in their order; null if the engine's cache had it. */
export const StepTimes = z.array(
  z.object({
    /** A hash of its instruction. */
    step: z.string(),
    seconds: z.number().nonnegative().nullable(),
  }),
);
export type StepTimes = z.infer<typeof StepTimes>;

/** How the progress of a build is reported. */
export type BuildProgressOptions = {
  /** What is built, as the beginning of a sentence. */
  readonly title: string;
  readonly onProgress: (what: Progress) => void;
  /** The times of an earlier build of the same file. */
  readonly earlier?: StepTimes;
  /** A clock in milliseconds. */
  readonly now?: () => number;
};

/** Docker's classic builder prints "Step 1/15 : FROM debian", Podman "STEP 1/15: FROM debian". */
const STEP = /^step (\d{1,3})\/(\d{1,3}) ?: (.+)$/i;
const CACHED = /^\s*-+> Using cache/;
/** apt says first how many packages there are, and then names each one three times. */
const PACKAGES = /^(\d{1,6}) upgraded, (\d{1,6}) newly installed, /;
const PACKAGE = /^(?:Get:\d+|Unpacking|Setting up) /;
const TIMES_NAMED = 3;
/** Within a step, what is shown changes no more often than that. */
const CALM_MS = 250;
/** A step that takes longer than this many times its earlier time cannot be estimated by it. */
const OVERDUE = 1.5;

/**
 * Turns the lines of a build into progress: the step, how many there are, and how long the rest took
 * in an earlier build. Nothing is estimated that was not measured.
 *
 * SECURITY: programs of the build print lines, too. Only numbers are taken from them, and a step
 * counts only if it is the next one.
 */
export class BuildProgress {
  readonly #options: BuildProgressOptions;
  readonly #now: () => number;
  readonly #times: { readonly step: string; seconds: number | null }[] = [];
  /** Of the present step. */
  #began = 0;
  #isCached = false;
  #count = 0;
  #packages: { readonly all: number; done: number } | undefined;
  #shown: { text: string; ms: number };

  constructor(options: BuildProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? performance.now.bind(performance);
    this.#shown = { text: options.title, ms: this.#now() };
    options.onProgress(options.title);
  }

  /** Takes a line of the build's output. */
  onLine(line: string): void {
    const [, number, count, instruction = ""] = STEP.exec(line) ?? [];
    if (
      Number(number) === this.#times.length + 1 &&
      (this.#count || Number(count)) === Number(count)
    ) {
      this.#count = Number(count);
      this.#begin(instruction);
      this.#show();
      return;
    }
    this.#isCached ||= CACHED.test(line);
    const [, upgraded, installed] = PACKAGES.exec(line) ?? [];
    if (installed !== undefined)
      this.#packages = { all: Number(upgraded) + Number(installed), done: 0 };
    else if (this.#packages !== undefined && PACKAGE.test(line)) this.#packages.done += 1;
    if (this.#now() - this.#shown.ms >= CALM_MS) this.#show();
  }

  /** The times of a build that has ended now, for the next one. */
  times(): StepTimes {
    this.#finish();
    return this.#times.map(({ step, seconds }) => ({
      step,
      seconds: seconds ?? this.#earlierSeconds(step) ?? null,
    }));
  }

  #begin(instruction: string): void {
    this.#finish();
    const step = createHash("sha256").update(instruction).digest("hex").slice(0, 16);
    this.#times.push({ step, seconds: null });
    this.#began = this.#now();
    this.#isCached = false;
    this.#packages = undefined;
  }

  #finish(): void {
    const last = this.#times.at(-1);
    if (last !== undefined && !this.#isCached)
      last.seconds = Math.round((this.#now() - this.#began) / 1000);
  }

  #show(): void {
    const number = this.#times.length;
    if (number === 0) return;
    const step = `step ${number} of ${this.#count}`;
    const estimate = this.#estimate();
    const percent = this.#percent();
    const text = `${this.#options.title}: ${step}${estimate ?? percent ?? ""}`;
    if (text === this.#shown.text) return;
    this.#shown = { text, ms: this.#now() };
    const brief = `Building the image: ${step}`;
    const more = estimate ?? percent;
    this.#options.onProgress({
      text,
      shorter: [
        ...(more === undefined ? [] : [brief + more]),
        brief,
        step,
        `${number}/${this.#count}`,
      ],
    });
  }

  #percent(): string | undefined {
    if (this.#packages === undefined || this.#packages.done === 0) return undefined;
    const { all, done } = this.#packages;
    return ` (${Math.min(99, Math.floor((100 * done) / (TIMES_NAMED * all)))}%)`;
  }

  /** How long the rest took in the earlier build; undefined unless all of it was measured. */
  #estimate(): string | undefined {
    const { earlier = [] } = this.#options;
    const here = earlier.findIndex(({ step }) => step === this.#times.at(-1)?.step);
    const [present, ...later] =
      here === -1 ? [] : earlier.slice(here).map(({ seconds }) => seconds);
    if (present === undefined || present === null) return undefined;
    const passed = (this.#now() - this.#began) / 1000;
    if (passed > OVERDUE * Math.max(present, 1)) return undefined;
    let seconds = Math.max(present - passed, 0);
    for (const each of later) {
      if (each === null) return undefined;
      seconds += each;
    }
    return `, ${about(seconds)}`;
  }

  #earlierSeconds(step: string): number | null | undefined {
    return this.#options.earlier?.find((each) => each.step === step)?.seconds;
  }
}

function about(seconds: number): string {
  if (seconds < 45) return "less than a minute";
  return seconds < 90 ? "about a minute" : `about ${Math.round(seconds / 60)} minutes`;
}
