/** The table that `npm run attack` ends with. */

/** The environment variable that names the file to which the attempts report, a line of JSON each. */
export const REPORT_VARIABLE = "CODEX_CHAT_ATTACK_REPORT";

/** How one attempt went. What is missing could not be found out, which is no pass. */
export type AttackRow = {
  readonly group: string;
  readonly name: string;
  readonly tries: string;
  product?: "held" | "FELL";
  control?: "fell" | "HELD";
  seen?: string;
  seenInControl?: string;
};

/** Whether the product held and the attempt is one that can succeed. */
export function isGood(row: AttackRow): boolean {
  return row.product === "held" && row.control === "fell";
}

/** The widest that a cell's text may be, in columns. */
const MAX_TRIES = 78;

/** Writes the rows as a table, in the order of their groups, with a line that counts them. */
export function formatTable(rows: readonly AttackRow[]): string {
  const sorted = [...rows].sort((a, b) => a.group.localeCompare(b.group));
  const cells = sorted.map((row) => [
    row.group,
    row.name,
    shortened(row.tries),
    row.product ?? "BROKE OFF",
    row.control === undefined ? "not reached" : `control ${row.control}`,
  ]);
  const header = ["group", "attempt", "tries", "product", "control"];
  const widths = header.map((title, n) =>
    Math.max(title.length, ...cells.map((row) => row[n]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join("  ")
      .trimEnd();
  const bad = sorted.filter((row) => !isGood(row));
  return [
    line(header),
    line(widths.map((width) => "-".repeat(width))),
    ...cells.map(line),
    "",
    ...bad.map(
      (row) =>
        `${row.group}: ${row.name}: product: ${row.seen ?? "?"}; control: ${row.seenInControl ?? "?"}`,
    ),
    `${rows.length - bad.length} attempts held with a control that fell, ${bad.length} did not`,
  ].join("\n");
}

function shortened(text: string): string {
  return text.length > MAX_TRIES ? `${text.slice(0, MAX_TRIES - 1)}…` : text;
}
