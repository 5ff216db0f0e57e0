/** A chat open in a real Neovim, with the test as its host. */

import { expect } from "vitest";
import type { BufferEdit, WinbarState } from "../../src/nvim/shapes.ts";
import { type Neovim, type NeovimOptions, startNeovim } from "./neovim.ts";
import { TestHost } from "./test-host.ts";

/** An open chat; ends its Neovim and host when disposed. */
export type OpenChat = AsyncDisposable & {
  readonly nvim: Neovim;
  readonly host: TestHost;
  readonly buf: number;
  /** The conversation's file. */
  readonly path: string;
  /** Applies edits as the host does. */
  edit(...edits: BufferEdit[]): Promise<void>;
  setState(state: WinbarState): Promise<void>;
  /** Types a query and sends it; gives its block's id. */
  send(text: string): Promise<string>;
  /** The chat's lines below its front matter. */
  body(): Promise<string[]>;
};

/** Starts Neovim, opens the chat and waits until the host heard of it. */
export async function openChat(options: NeovimOptions = {}): Promise<OpenChat> {
  const host = await TestHost.start();
  const nvim = await startNeovim({
    ...options,
    config: { host_cmd: host.command, ...options.config },
  });
  await nvim.command("CodexChat");
  const { buf, path } = await host.heard("chat/open");
  return {
    nvim,
    host,
    buf,
    path,
    async edit(...edits) {
      const applied = await host.editor.call.buf_set_edits(buf, edits);
      expect(applied).toEqual({ ok: true, value: { ok: true } });
    },
    async setState(state) {
      expect(await host.editor.call.buf_set_state(buf, state)).toEqual({
        ok: true,
        value: undefined,
      });
    },
    async send(text) {
      const before = host.of("turn/send").length;
      await nvim.lua(
        "local buf, lines = ...; vim.api.nvim_buf_set_lines(buf, -1, -1, false, lines);" +
          "require('codex-chat.commands.query.send').send(require('codex-chat.registry').get(buf))",
        buf,
        text.split("\n"),
      );
      return (await host.heard("turn/send", before + 1)).id;
    },
    async body() {
      const lines = await nvim.lines(buf);
      return lines.slice(lines.indexOf("---", 1) + 2);
    },
    async [Symbol.asyncDispose]() {
      await nvim.close();
      await host.close();
    },
  };
}
