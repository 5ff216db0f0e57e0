import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { ScriptedModel } from "../../test/e2e/model.ts";
import type { Place } from "../../test/e2e/place.ts";
import { Editor } from "./editor.ts";
import { gone } from "./processes.ts";

const TURN_LINES = ["## You", "", "q", "", "## Codex", ""].concat([
  "An answer with *words* and `code`.",
  "",
  "And more.",
  "",
]);

/** A finished conversation of about so many lines. */
export function history(lines: number): string {
  return `${TURN_LINES.join("\n")}\n`.repeat(Math.ceil(lines / TURN_LINES.length));
}

/** What a chat is opened with. */
export type ChatOptions = {
  readonly program: string;
  readonly place: Place;
  readonly model: ScriptedModel;
};

/** Starts a Neovim with the plugin in the place's project. */
export function startEditor({ program, place, model }: ChatOptions): Promise<Editor> {
  const { home, project } = place;
  return Editor.start({ program, home, cwd: project, config: place.config(model.url) });
}

/** Leaves a conversation of about so many lines in the project, for `:CodexChat` to open. */
export async function leaveHistory(editor: Editor, place: Place, lines: number): Promise<void> {
  const chats = z
    .string()
    .parse(await editor.lua("return require('codex-chat.project').at(...).chats", place.project));
  await mkdir(chats, { recursive: true });
  const head = `---\ncodex-chat: 1\nproject: ${place.project}\n---\n\n`;
  await writeFile(join(chats, `2026-01-01-${lines}.md`), `${head}${history(lines)}## You\n\n`);
}

/** A Neovim with a chat that the host has taken, and the person before it. */
export class Chat implements AsyncDisposable {
  readonly editor: Editor;
  /** 0 until the host runs. */
  hostPid = 0;

  private constructor(editor: Editor) {
    this.editor = editor;
  }

  /** Starts Neovim, opens the chat and waits for the host; with so many lines of history. */
  static async open(options: ChatOptions, lines = 0): Promise<Chat> {
    const editor = await startEditor(options);
    await editor.listen("CodexChatTurnEnded");
    if (lines > 0) await leaveHistory(editor, options.place, lines);
    const chat = new Chat(editor);
    await chat.command("CodexChat");
    return chat;
  }

  /** Begins a conversation in the same sandbox. */
  async startAnew(): Promise<void> {
    await this.command("CodexChat new");
  }

  /** Puts a query into the prompt, without a key; it is sent by `send`. */
  async paste(text: string): Promise<void> {
    await this.editor.lua(
      `vim.cmd.stopinsert()
       vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(0), 0 })
       vim.api.nvim_paste(..., false, -1)`,
      text,
    );
    await this.editor.input("<Esc>");
    await this.editor.shown(({ mode }) => mode === "normal");
    await this.editor.shown(text);
  }

  /** Presses Enter; returns when. */
  async send(): Promise<number> {
    const at = performance.now();
    await this.editor.input("<CR>");
    return at;
  }

  /** Waits for the turn's end, which must be a good one. */
  async ended(): Promise<void> {
    const end = await this.editor.event("CodexChatTurnEnded");
    const { status } = z.object({ status: z.string() }).parse(end);
    if (status !== "completed") throw new Error(`a turn failed: ${JSON.stringify(end)}`);
  }

  /** A whole turn. */
  async ask(text: string): Promise<void> {
    await this.paste(text);
    await this.send();
    await this.ended();
  }

  /** Leaves Neovim, and waits for the host to have put everything away. */
  async quit(): Promise<void> {
    await this.editor.quit();
    if (this.hostPid > 0) await gone(this.hostPid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.editor[Symbol.asyncDispose]();
    if (this.hostPid > 0) await gone(this.hostPid);
  }

  async command(command: string): Promise<void> {
    await this.editor.lua("vim.cmd(...)", command);
    await this.editor.until(
      `(require("codex-chat.registry").get(vim.api.nvim_get_current_buf()) or {}).host == "attached"`,
    );
    this.hostPid = z
      .number()
      .parse(await this.editor.lua(`return require("codex-chat.host").pid()`));
  }
}
