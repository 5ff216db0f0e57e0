/** One line of the table; all figures have its unit. */
export type Row = {
  readonly what: string;
  readonly unit: "ms" | "MB";
  readonly measured: number;
  readonly floor: number;
  /** What the floor is, for the reader. */
  readonly floorIs: string;
  /** What `measured` may be at most, and how that is said. */
  readonly limit: number;
  readonly target: string;
};

/**
 * By how much a figure may be over its target before the run fails: what repeated runs on a shared
 * machine of two cores differ by.
 */
export const NOISE = 0.15;

/** Whether a target was missed by more than noise. */
export function isMissed({ measured, limit }: Row): boolean {
  return !(measured <= limit * (1 + NOISE));
}

/** Writes rows as a markdown table whose columns are aligned. */
export function formatTable(rows: readonly Row[]): string {
  const head = ["what", "measured", "floor", "ratio", "target", "met"];
  const cells = rows.map((row) => [
    row.what,
    formatFigure(row.measured, row.unit),
    `${formatFigure(row.floor, row.unit)}: ${row.floorIs}`,
    (row.measured / row.floor).toFixed(2),
    row.target,
    row.measured <= row.limit ? "yes" : isMissed(row) ? "NO" : "within noise",
  ]);
  const all = [head, ...cells];
  const widths = head.map((_, n) => Math.max(...all.map((line) => line[n]?.length ?? 0)));
  const lines = all.map(
    (line) => `| ${line.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function formatFigure(figure: number, unit: Row["unit"]): string {
  const digits = figure < 10 ? 2 : figure < 100 ? 1 : 0;
  return `${figure.toFixed(digits)} ${unit}`;
}
