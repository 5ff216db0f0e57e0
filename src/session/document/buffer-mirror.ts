import { type Edit, historyBlock } from "../../chat/edits/index.ts";
import { type ChatMeta, readTranscript, withKeptKeys } from "../../chat/format/index.ts";
import { CODEX_HEADING, roleOf } from "../../chat/format/marks/index.ts";
import { missingLine, wholeText } from "../../chat/markdown/index.ts";
import type { BufferWatch, Editor, EditorError } from "../../nvim/index.ts";
import { ok, type Result } from "../../result.ts";

/** More arguments than this would overflow the stack of `splice`. */
const MAX_SPREAD = 10_000;

/** The host's copy of a buffer's lines, from which the file is written. */
export class BufferMirror {
  #lines: string[] = [];
  /** The front matter when following began, in case the user deletes it. */
  #frontMatter: string | undefined;
  /** How many characters were deleted, change by change. */
  #deleted = 0;
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

  /** Follows the buffer from now on. `onDetach`: its text was read again, or it is gone. */
  static async follow(
    editor: Editor,
    buf: number,
    handlers: { readonly onChange: () => void; readonly onDetach: () => void },
  ): Promise<Result<BufferMirror, EditorError>> {
    const mirror = new BufferMirror(editor, buf, handlers);
    const followed = await mirror.again();
    return followed.ok ? ok(mirror) : followed;
  }

  /** Follows the buffer again, beginning with its whole text as it is now. */
  async again(): Promise<Result<void, EditorError>> {
    const watch = await this.#begin();
    if (!watch.ok) return watch;
    this.#watch = watch.value;
    this.#lines = [...watch.value.lines];
    this.#frontMatter = readTranscript(this.#lines.slice(0, 200).join("\n")).frontMatter;
    return ok();
  }

  /** Whether the text had front matter when following began. */
  get hasFrontMatter(): boolean {
    return this.#frontMatter !== undefined;
  }

  /** Takes the front matter from an earlier text, to write it again. */
  recall(text: string): void {
    this.#frontMatter = readTranscript(text).frontMatter;
  }

  text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  /**
   * The text for the file: a fence that is still open is closed in it, and thread and project of `known`
   * stand in its front matter, whatever the user has made of that.
   */
  fileText(known: ChatMeta): string {
    return withKeptKeys(wholeText(this.#lines), known, this.#frontMatter);
  }

  /** Edits that close an answer which was cut off when an earlier host or editor ended. */
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
    const prompt = this.#lines.findLastIndex((line) => roleOf(line) === "user");
    const at = prompt === -1 ? this.#lines.length : prompt;
    const heading = this.#lines.findLast((line, row) => row < at && roleOf(line) !== undefined);
    // Below a query without an answer they would be a part of the query.
    const own = heading !== undefined && roleOf(heading) === "user" ? [CODEX_HEADING, ""] : [];
    this.#lines.splice(at, 0, ...own, ...lines, "");
  }

  /** How many characters were deleted since `forgetDeleted`, however many were added elsewhere. */
  get deleted(): number {
    return this.#deleted;
  }

  forgetDeleted(): void {
    this.#deleted = 0;
  }

  close(): void {
    this.#watch?.stop();
  }

  #splice(first: number, last: number, lines: readonly string[]): void {
    const shrunk = charsOf(this.#lines.slice(first, last)) - charsOf(lines);
    if (shrunk > 0) this.#deleted += shrunk;
    if (lines.length <= MAX_SPREAD) this.#lines.splice(first, last - first, ...lines);
    else this.#lines = [...this.#lines.slice(0, first), ...lines, ...this.#lines.slice(last)];
  }
}

function charsOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}
