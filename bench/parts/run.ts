import type { BenchEngine } from "./place.ts";
import type { Row } from "./table.ts";

/** What all measurements are given. */
export type Run = {
  /** Neovim. */
  readonly program: string;
  readonly engine: BenchEngine;
  /** Fewer and shorter measurements. */
  readonly isQuick: boolean;
  /** Takes a row of the table as soon as it is known. */
  readonly add: (row: Row) => void;
  /** Says what the figures of a row consist of. */
  readonly note: (note: string) => void;
};
