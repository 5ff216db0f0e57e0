import { median } from "../parts/figures.ts";
import type { Sample } from "./sample.ts";

/** The share of the samples that counts as warm-up. */
const WARM_UP = 0.2;

/** By how much figures may grow after the warm-up; those that are not named, by `COUNT_BOUND`. */
const BOUNDS: Readonly<Record<string, number>> = {
  "Neovim: resident, MB": 40,
  "Neovim: Lua's heap, MB": 5,
  "host: resident, MB": 60,
  "host: heap after a collection, MB": 10,
  "host: outside of the heap, MB": 20,
  // They come and go with connections that are kept for a while.
  "host: sockets": 6,
  "host: file descriptors": 6,
  "host: resources of its loop": 6,
  "host: timers": 4,
  "inside: file descriptors": 12,
  "inside: files in /tmp and /run": 10,
  "files of the state": 12,
  "files of the home": 12,
};
const COUNT_BOUND = 2;

/** How a figure went over the run. */
export type Growth = {
  readonly name: string;
  /** The medians of the first and of the last quarter after the warm-up. */
  readonly early: number;
  readonly late: number;
  readonly highest: number;
  readonly bound: number;
};

/** Whether a figure has grown by more than its bound. */
export function hasGrown({ early, late, bound }: Growth): boolean {
  return !(late - early <= bound);
}

/** How all figures went. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const quarter = Math.max(1, Math.floor(warm.length / 4));
  return Object.keys(samples[0] ?? {}).map((name) => {
    const figures = warm.map((sample) => sample[name] ?? Number.NaN);
    return {
      name,
      early: median(figures.slice(0, quarter)),
      late: median(figures.slice(-quarter)),
      highest: Math.max(...figures),
      bound: BOUNDS[name] ?? COUNT_BOUND,
    };
  });
}
