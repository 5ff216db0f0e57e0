import type { Cell, Screen } from "../../test/support/screen.ts";

/** A cell's size in px; the width fits the usual monospace fonts at this size. */
const FONT_PX = 14;
const CELL_WIDTH = 8.43;
const CELL_HEIGHT = 19;
const MARGIN = 12;

/** Draws what a Neovim shows, as a picture of text in which every colour is the editor's own. */
export function svgOf(screen: Screen): string {
  const rows = screen.cells();
  const { foreground, background } = screen.colors;
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const width = Math.ceil(columns * CELL_WIDTH + 2 * MARGIN);
  const height = rows.length * CELL_HEIGHT + 2 * MARGIN;
  const body = rows.flatMap((row, y) => rowOf(row, y, { foreground, background }));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>A conversation with Codex in Neovim</title>
<rect width="100%" height="100%" rx="8" fill="${hex(background)}"/>
<g font-family="'DejaVu Sans Mono', 'JetBrains Mono', Menlo, Consolas, monospace" font-size="${FONT_PX}" xml:space="preserve">
${body.join("\n")}
</g>
</svg>
`;
}

type Colors = { readonly foreground: number; readonly background: number };

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
