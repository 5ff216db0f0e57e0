import type { Editor } from "../parts/editor.ts";

/** How many cells to the left of the cursor must be as typed. */
const LOOK_BACK = 6;
/** For how long after a kill keys do not count: what was killed is started again. */
const CALM_MS = 3_000;

/** How long Neovim takes to show typed keys. */
export class KeyTimes {
  /** In ms, in the order of typing. */
  readonly all: number[] = [];
  #calmFrom = 0;

  /** Something was killed just now. */
  disturb(): void {
    this.#calmFrom = performance.now() + CALM_MS;
  }

  /** Types in insert mode, each key after the one before it is seen on the screen. */
  async type(editor: Editor, text: string): Promise<void> {
    for (let end = 1; end <= text.length; end++) {
      const wanted = text.slice(Math.max(0, end - LOOK_BACK), end);
      const isShown = () => editor.screen.beforeCursor(wanted.length) === wanted;
      const began = performance.now();
      const [, at] = await Promise.all([editor.input(text.charAt(end - 1)), editor.shown(isShown)]);
      if (began > this.#calmFrom) this.all.push(at - began);
    }
  }

  /** A percentile, in ms. */
  percentile(percent: number): number {
    const sorted = [...this.all].sort((a, b) => a - b);
    const at = Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100));
    return sorted[at] ?? Number.NaN;
  }
}
