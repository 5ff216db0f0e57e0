import { type Edit, historyBlock, missingLine, wholeText } from "../chat/index.ts";
import type { BufferWatch, Editor, EditorError } from "../nvim/index.ts";
import { ok, type Result } from "../result.ts";

/** More arguments than this would overflow the stack of `splice`. */
const MAX_SPREAD = 10_000;

/** The lines of a buffer as the host knows them: what the file is written from. */
export class Mirror {
  #lines: string[] = [];
  #watch: BufferWatch | undefined;
  readonly #begin: () => Promise<Result<BufferWatch, EditorError>>;

  private constructor(
    editor: Editor,
    buf: number,
    handlers: { readonly onChange: () => void; readonly onDetach: () => void },
  ) {
    this.#begin = () =>
      editor.watchBuffer(buf, {
        onLines: (first, last, lines) => {
          this.#splice(first, last, lines);
          handlers.onChange();
        },
        onDetach: handlers.onDetach,
      });
  }

  /** Follows the buffer from now on. `onDetach`: its text was read anew, or it is gone. */
  static async follow(
    editor: Editor,
    buf: number,
    handlers: { readonly onChange: () => void; readonly onDetach: () => void },
  ): Promise<Result<Mirror, EditorError>> {
    const mirror = new Mirror(editor, buf, handlers);
    const followed = await mirror.again();
    return followed.ok ? ok(mirror) : followed;
  }

  /** Follows the buffer anew, with its whole text as it is now. */
  async again(): Promise<Result<void, EditorError>> {
    const watch = await this.#begin();
    if (!watch.ok) return watch;
    this.#watch = watch.value;
    this.#lines = [...watch.value.lines];
    return ok();
  }

  text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  /** The text as the file holds it: what is still being written is closed there. */
  fileText(): string {
    return wholeText(this.#lines);
  }

  /** What closes an answer that was cut off with the host, or with the editor, before. */
  closingEdits(prefix: string): Edit[] {
    const missing = missingLine(this.#lines);
    if (missing === undefined) return [];
    const lines = [missing.line];
    return [{ op: "insert", id: `${prefix}:closer`, after: historyBlock, lines, gap: 0 }];
  }

  /** Adds lines above the last `## You` heading, for a file whose buffer is gone. */
  insertAbovePrompt(lines: readonly string[]): void {
    const missing = missingLine(this.#lines);
    if (missing !== undefined) this.#lines.splice(missing.row, 0, missing.line);
    const prompt = this.#lines.findLastIndex((line) => /^## You[ \t]*$/.test(line));
    const at = prompt === -1 ? this.#lines.length : prompt;
    this.#lines.splice(at, 0, ...lines, "");
  }

  close(): void {
    this.#watch?.stop();
  }

  #splice(first: number, last: number, lines: readonly string[]): void {
    if (lines.length <= MAX_SPREAD) this.#lines.splice(first, last - first, ...lines);
    else this.#lines = [...this.#lines.slice(0, first), ...lines, ...this.#lines.slice(last)];
  }
}
