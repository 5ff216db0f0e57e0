import { constants, open as openFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("a mention that needs another program, on Neovim $name,", (program) => {
  /** A chat in a repository whose git waits until `open` is called. */
  async function behindGate(): Promise<{ chat: OpenChat; open: () => Promise<void> }> {
    const chat = await openChat({ program, config: { window: { startinsert: false } } });
    const { cwd } = chat.nvim;
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=A", "-c", "user.email=a@example.org", ...args], { cwd });
    await writeFile(join(cwd, "a.txt"), "one\n");
    await git("init", "-q");
    await git("add", "a.txt");
    await git("commit", "-qm", "first");
    await writeFile(join(cwd, "a.txt"), "changed\n");
    const gate = join(cwd, ".git/gate");
    await execa("mkfifo", [gate]);
    // Of the user's own: the repository's is not read.
    await git("config", "--file", join(chat.nvim.home, ".gitconfig"), "core.excludesFile", gate);
    await chat.nvim.lua(
      "_G.said = {}; vim.notify = function(message) table.insert(_G.said, message) end",
    );
    const open = async () => {
      // Refused as long as nothing waits there. Whatever comes later finds a file.
      const find = () =>
        openFile(gate, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => null);
      let pipe = await find();
      await expect.poll(async () => (pipe ??= await find())).not.toBeNull();
      await rename(gate, `${gate}.old`);
      await writeFile(gate, "");
      await pipe?.close();
    };
    return { chat, open };
  }

  const said = (chat: OpenChat) => chat.nvim.lua<string[]>("return _G.said");
  const queries = (chat: OpenChat) => chat.host.of("turn/send").map((turn) => turn.text);
  const changes = [{ text: expect.stringContaining("+changed") }];

  it("keeps the editor responsive, and leaves the query in place", async () => {
    const { chat, open } = await behindGate();
    await using _ = chat;
    await chat.nvim.lua(
      "vim.api.nvim_buf_set_lines(..., -1, -1, false, { 'Look at @diff.' })",
      chat.buf,
    );
    const send =
      "require('codex-chat.commands.query.send').send(require('codex-chat.registry').get(...))";
    await chat.nvim.lua(send, chat.buf);
    await chat.nvim.lua(send, chat.buf);
    expect(await said(chat)).toEqual(["codex-chat: @diff is still being read."]);
    expect(queries(chat)).toEqual([]);
    expect((await chat.body()).at(-1)).toBe("Look at @diff.");
    await chat.nvim.type("GA And this.<Esc>");
    await open();
    await expect.poll(() => said(chat)).toHaveLength(2);
    expect((await said(chat))[1]).toContain("you changed the query while @diff was read");
    expect(queries(chat)).toEqual([]);
    await chat.nvim.lua(send, chat.buf);
    expect(await chat.host.heard("turn/send")).toMatchObject({
      text: "Look at @diff. And this.",
      context: changes,
    });
  });

  it("keeps the editor responsive when a function asks, and keeps the order of the queries", async () => {
    const { chat, open } = await behindGate();
    await using _ = chat;
    const ids = await chat.nvim.lua<string[]>(
      `local api = require("codex-chat")
       return { api.ask("Judge @diff."), api.ask("And then?") }`,
    );
    await chat.nvim.type("Gotyped meanwhile<Esc>");
    expect(queries(chat)).toEqual([]);
    await open();
    expect(await chat.host.heard("turn/send", 2)).toMatchObject({
      id: ids[1],
      text: "And then?",
    });
    expect(chat.host.of("turn/send")[0]).toMatchObject({ id: ids[0], context: changes });
    expect((await chat.body()).filter((line) => line !== "")).toEqual([
      "## You",
      "Judge @diff.",
      "> **Context:** uncommitted changes",
      "## You",
      "And then?",
      "## You",
      "typed meanwhile",
    ]);
  });

  it("tells a function if nothing was sent after all", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.lua(
      `ends = {}
       vim.notify = function() end
       require("codex-chat").ask("Judge @diff.", { on_end = function(e) table.insert(ends, e) end })`,
    );
    await expect
      .poll(() => chat.nvim.lua("return ends"))
      .toMatchObject([{ status: "failed", failure: { kind: "context" } }]);
    expect(queries(chat)).toEqual([]);
  });

  it("keeps the editor responsive during a preview, which does not disturb a user who moved on", async () => {
    const { chat, open } = await behindGate();
    await using _ = chat;
    const page = () => chat.nvim.lua<string>("return vim.api.nvim_buf_get_name(0)");
    await chat.nvim.command("CodexChat preview See @diff");
    await chat.nvim.command("wincmd p");
    await open();
    await expect
      .poll(async () => (await said(chat)).join())
      .toContain("you have left the conversation");
    await chat.nvim.command("wincmd p");
    await chat.nvim.command("CodexChat preview See @diff");
    await expect.poll(page).toBe("codex-chat://preview");
  });
});
