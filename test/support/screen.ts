/** How a cell looks. Colours are 24-bit numbers; absent ones are the screen's own. */
export type Look = {
  readonly foreground?: number;
  readonly background?: number;
  readonly special?: number;
  readonly reverse?: boolean;
  readonly bold?: boolean;
  readonly italic?: boolean;
  readonly underline?: boolean;
  readonly strikethrough?: boolean;
};

/** One cell; the right half of a wide character is an empty text. */
export type Cell = { readonly text: string; readonly look: Look };

type Stored = { text: string; id: number };

/** What a user would see: Neovim's `ext_linegrid` events (:help ui-linegrid) put together. */
export class Screen {
  #grid: Stored[][] = [];
  readonly #looks = new Map<number, Look>();
  #foreground = 0xffffff;
  #background = 0x000000;
  #cursor = { row: 0, column: 0 };
  #mode = "normal";
  #frames = 0;

  /** Takes one `redraw` notification. */
  redraw(batch: readonly unknown[]): void {
    for (const entry of batch) {
      const [event, ...calls] = entry as [string, ...unknown[][]];
      for (const args of calls) this.#apply(event, args);
    }
  }

  /** How often Neovim has said that what was drawn is whole. */
  get frames(): number {
    return this.#frames;
  }

  /** The text of all rows, blanks at their ends left out. */
  lines(): string[] {
    return this.#grid.map((row) =>
      row
        .map((cell) => cell.text)
        .join("")
        .trimEnd(),
    );
  }

  /** All rows as one text. */
  text(): string {
    return this.lines().join("\n");
  }

  /** What stands directly to the left of the cursor: so many cells of its row. */
  beforeCursor(cells: number): string {
    const { row, column } = this.#cursor;
    const left = this.#grid[row]?.slice(Math.max(0, column - cells), column) ?? [];
    return left.map((cell) => cell.text).join("");
  }

  /** All cells with how they look. */
  cells(): Cell[][] {
    return this.#grid.map((row) =>
      row.map((cell) => ({ text: cell.text, look: this.#looks.get(cell.id) ?? {} })),
    );
  }

  /** Where the cursor is, 0-based. */
  get cursor(): { readonly row: number; readonly column: number } {
    return this.#cursor;
  }

  /** The mode as the cursor's shape shows it: "normal", "insert", "cmdline_normal" … */
  get mode(): string {
    return this.#mode;
  }

  /** The colours of cells that have none of their own. */
  get colors(): { readonly foreground: number; readonly background: number } {
    return { foreground: this.#foreground, background: this.#background };
  }

  #apply(event: string, args: unknown[]): void {
    switch (event) {
      case "grid_resize": {
        const [, width, height] = args as [number, number, number];
        this.#grid = Array.from({ length: height }, (_, row) =>
          Array.from({ length: width }, (_, column) => this.#grid[row]?.[column] ?? blank()),
        );
        break;
      }
      case "grid_clear":
        this.#grid = this.#grid.map((row) => row.map(blank));
        break;
      case "grid_line":
        this.#line(args as [number, number, number, [string, number?, number?][]]);
        break;
      case "grid_scroll":
        this.#scroll(args as [number, number, number, number, number, number, number]);
        break;
      case "grid_cursor_goto": {
        const [, row, column] = args as [number, number, number];
        this.#cursor = { row, column };
        break;
      }
      case "hl_attr_define": {
        const [id, look] = args as [number, Look];
        this.#looks.set(id, look);
        break;
      }
      case "default_colors_set": {
        const [foreground, background] = args as [number, number];
        if (foreground >= 0) this.#foreground = foreground;
        if (background >= 0) this.#background = background;
        break;
      }
      case "mode_change":
        this.#mode = String(args[0]);
        break;
      case "flush":
        this.#frames += 1;
        break;
      default:
        break;
    }
  }

  #line([, rowIndex, start, cells]: [number, number, number, [string, number?, number?][]]): void {
    const row = this.#grid[rowIndex];
    if (row === undefined) return;
    let column = start;
    let look = 0;
    for (const [text, id, repeat = 1] of cells) {
      look = id ?? look;
      for (let n = 0; n < repeat; n += 1, column += 1) row[column] = { text, id: look };
    }
  }

  #scroll([, top, bottom, left, right, rows]: [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]): void {
    const from = this.#grid.map((row) => [...row]);
    for (let row = top; row < bottom; row += 1) {
      const source = from[row + rows];
      const target = this.#grid[row];
      if (source === undefined || target === undefined) continue;
      if (row + rows < top || row + rows >= bottom) continue;
      for (let column = left; column < right; column += 1) {
        target[column] = source[column] ?? blank();
      }
    }
  }
}

function blank(): Stored {
  return { text: " ", id: 0 };
}
