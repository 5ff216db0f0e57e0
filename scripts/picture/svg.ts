import type { Cell, Screen } from "../../test/support/screen.ts";

/** A cell's size in px; the width fits the usual monospace fonts at this size. */
const FONT_PX = 14;
const CELL_WIDTH = 8.43;
const CELL_HEIGHT = 19;
const MARGIN = 12;

type Colors = { readonly foreground: number; readonly background: number };

/** What a Neovim shows: each row as SVG elements, and how large it is. */
export type Drawn = {
  readonly rows: readonly string[];
  readonly columns: number;
  readonly background: number;
};

/** Draws what a Neovim shows, as text in which every colour is the editor's own. */
export function drawn(screen: Screen): Drawn {
  const rows = screen.cells();
  const { foreground, background } = screen.colors;
  return {
    rows: rows.map((row, y) => rowOf(row, y, { foreground, background }).join("\n")),
    columns: Math.max(0, ...rows.map((row) => row.length)),
    background,
  };
}

/** A picture of one screen. */
export function picture(screen: Drawn): string {
  return svg(screen, screen.rows.join("\n"), "");
}

/** A screen, and how long after the first one it is shown. */
export type Frame = { readonly atMs: number; readonly screen: Drawn };

/**
 * An animation that starts again after `totalMs`. A row that stays the same from frame to frame is
 * written once, with the time in which it is seen; style sheets do the rest, so it moves wherever a
 * picture is shown.
 */
export function animation(frames: readonly Frame[], totalMs: number): string {
  const first = frames[0]?.screen;
  if (first === undefined) throw new Error("an animation has at least one frame");
  const rules: string[] = [];
  const body: string[] = [];
  const percent = (ms: number) => Number(((100 * ms) / totalMs).toFixed(2));
  const add = (row: string, fromMs: number, toMs: number) => {
    if (row === "") return;
    const name = `f${rules.length}`;
    const [from, to] = [percent(fromMs), percent(toMs)];
    const before = from > 0 ? "0%{visibility:hidden}" : "";
    const after = to < 100 ? `${to}%{visibility:hidden}` : "";
    rules.push(`@keyframes ${name}{${before}${from}%{visibility:visible}${after}}`);
    body.push(`<g style="animation-name:${name}">\n${row}\n</g>`);
  };
  const since = first.rows.map((row) => ({ row, atMs: 0 }));
  for (const { atMs, screen } of frames.slice(1)) {
    for (const [y, row] of screen.rows.entries()) {
      const shown = since[y];
      if (shown === undefined || shown.row === row) continue;
      add(shown.row, shown.atMs, atMs);
      since[y] = { row, atMs };
    }
  }
  for (const { row, atMs } of since) add(row, atMs, totalMs);
  const all = `svg g g{visibility:hidden;animation-duration:${totalMs}ms;animation-iteration-count:infinite;animation-timing-function:step-end}`;
  return svg(first, body.join("\n"), `<style>${all}\n${rules.join("\n")}</style>\n`);
}

function svg(screen: Drawn, body: string, style: string): string {
  const width = Math.ceil(screen.columns * CELL_WIDTH + 2 * MARGIN);
  const height = screen.rows.length * CELL_HEIGHT + 2 * MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>A conversation with Codex in Neovim</title>
${style}<rect width="100%" height="100%" rx="8" fill="${hex(screen.background)}"/>
<g font-family="'DejaVu Sans Mono', 'JetBrains Mono', Menlo, Consolas, monospace" font-size="${FONT_PX}" xml:space="preserve">
${body}
</g>
</svg>
`;
}

/** Runs of cells that look alike become one piece of text, stretched to its cells. */
function rowOf(row: readonly Cell[], y: number, screen: Colors): string[] {
  const drawn: string[] = [];
  for (let start = 0; start < row.length; ) {
    const look = row[start]?.look ?? {};
    let end = start + 1;
    while (end < row.length && JSON.stringify(row[end]?.look) === JSON.stringify(look)) end += 1;
    const text = row
      .slice(start, end)
      .map((cell) => cell.text)
      .join("");
    const own = look.background ?? screen.background;
    const ink = look.foreground ?? screen.foreground;
    const [fill, paper] = look.reverse === true ? [own, ink] : [ink, own];
    const x = (MARGIN + start * CELL_WIDTH).toFixed(2);
    const width = ((end - start) * CELL_WIDTH).toFixed(2);
    const top = MARGIN + y * CELL_HEIGHT;
    if (paper !== screen.background)
      drawn.push(
        `<rect x="${x}" y="${top}" width="${width}" height="${CELL_HEIGHT}" fill="${hex(paper)}"/>`,
      );
    if (text.trim() !== "")
      drawn.push(
        `<text x="${x}" y="${top + 14}" textLength="${width}" fill="${hex(fill)}"${style(look)}>${escapeXml(text)}</text>`,
      );
    start = end;
  }
  return drawn;
}

function style(look: Cell["look"]): string {
  const bold = look.bold === true ? ' font-weight="bold"' : "";
  const italic = look.italic === true ? ' font-style="italic"' : "";
  const underline = look.underline === true ? ' text-decoration="underline"' : "";
  return bold + italic + underline;
}

function hex(color: number): string {
  return `#${color.toString(16).padStart(6, "0")}`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(" ", "\u00a0");
}
