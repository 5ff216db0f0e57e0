import { median } from "../parts/figures.ts";
import { type Growth, hasGrown } from "./growth.ts";
import type { World } from "./world.ts";

/** The target for Neovim's answer to a key, the 99th percentile, in ms. */
const KEY_MS = 16;
/** What a busy machine adds: no more than this many times the bare editor's own. */
const KEY_NOISE = 2;

/** What a run was. */
export type RunFacts = {
  readonly seed: number;
  readonly minutes: number;
  readonly samples: number;
  readonly machine: string;
};

/** How long keys may take in a run: the target, or what the machine does not allow for. */
function keyLimitMs({ floor }: World): number {
  return Math.max(KEY_MS, KEY_NOISE * floor.percentile(99));
}

/** Whether the run shows a fault. */
export function isBad(world: World, growth: readonly Growth[]): boolean {
  const isSlow = !(world.keys.percentile(99) <= keyLimitMs(world));
  return world.faults.length > 0 || isSlow || growth.some(hasGrown);
}

/** The report of a run as plain text, with markdown's tables. */
export function formatReport(
  world: World,
  growth: readonly Growth[],
  { seed, minutes, samples, machine }: RunFacts,
): string {
  const { keys, floor, faults, model, ledger } = world;
  const times = (of: World["keys"]) =>
    [50, 95, 99].map((percent) => `p${percent} ${of.percentile(percent).toFixed(1)}`).join(", ");
  const isSlow = !(keys.percentile(99) <= keyLimitMs(world));
  return [
    `Ran ${minutes.toFixed(0)} minutes with seed ${seed}: ${ledger.taken.size} queries, ${model.requests} requests to the model, ${samples} samples.`,
    isBad(world, growth) ? "**Failed.**" : "**Passed.**",
    "## Growth",
    "Medians of the first and of the last quarter after the warm-up (a fifth of the samples), at quiet moments: one conversation with one turn, one Neovim.",
    formatTable(
      ["what", "early", "late", "highest", "may grow by", "flat"],
      growth.map((figure) => [
        figure.name,
        ...[figure.early, figure.late, figure.highest].map(formatFigure),
        String(figure.bound),
        hasGrown(figure) ? "NO" : "yes",
      ]),
    ),
    "## Keys",
    `From a key to its letter on the screen, in ms, outside of kills: ${times(keys)} (${keys.all.length} keys). A bare Neovim in the same run: ${times(floor)} (${floor.all.length} keys). At most ${keyLimitMs(world).toFixed(1)} at p99: ${isSlow ? "NO" : "yes"}.`,
    "## Faults",
    faults.length === 0
      ? "None: every query was sent once and stands in a file, every item ended, every file said what its conversation said."
      : faults.map((fault) => `- ${tidy(world, fault)}`).join("\n"),
    `Sent again after a kill, because Codex had not said that it had them: ${sentAgain(world)} of ${ledger.taken.size} queries.`,
    "## What was done",
    formatTable(
      ["what", "times"],
      [...world.done].sort().map(([what, times]) => [what, String(times)]),
    ),
    "## Errors that the user was shown",
    "They follow from the kills and refusals; numbers are N.",
    formatTable(
      ["message", "times"],
      [...world.errors].sort().map(([what, times]) => [what.replaceAll("|", "\\|"), String(times)]),
    ),
    `${machine}\nLoad average at the samples: ${median(world.loads).toFixed(1)} in the middle, ${Math.max(...world.loads).toFixed(1)} at most.`,
  ].join("\n\n");
}

/** How many queries a thread has twice that were on their way when something was killed. */
function sentAgain({ model, ledger }: World): number {
  const isOf = (number: number) => ledger.wereUnderWay.has(number) && !ledger.repeated.has(number);
  return [...model.doubled].filter(isOf).length;
}

/** A fault without the paths of this machine, on one line. */
function tidy({ place }: World, fault: string): string {
  return fault
    .replaceAll(place.base, "…")
    .replace(/\s*\n\s*/g, " / ")
    .slice(0, 1_000);
}

function formatFigure(figure: number): string {
  return Number.isInteger(figure) ? String(figure) : figure.toFixed(1);
}

function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, n) => Math.max(...all.map((row) => row[n]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, n) => (row[n] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
