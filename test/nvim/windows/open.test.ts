import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

describe.each(neovims)("opening a chat on Neovim $name", (program) => {
  it("shows the chat ready for typing, and notifies the host", async () => {
    await using host = await TestHost.start();
    await using nvim = await startNeovim({
      program,
      config: { host_cmd: host.command },
      screen: { columns: 100, rows: 30 },
    });
    await nvim.command("CodexChat");
    const open = await host.heard("chat/open");
    expect(open.root).toBe(nvim.cwd);
    await nvim.untilShown("Ask Codex");
    await nvim.keys("hello<C-s>");
    const sent = await host.heard("turn/send");
    expect(sent).toEqual({
      buf: open.buf,
      id: "user:1",
      text: "hello",
      mode: "steer",
      context: [],
      unsaved: [],
    });
    expect(await nvim.lines()).toEqual([
      "---",
      "codex-chat: 1",
      `project: ${nvim.cwd}`,
      expect.stringMatching(/^created: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      "---",
      "",
      "## You",
      "",
      "hello",
      "",
      "## You",
      "",
    ]);
  });

  it("puts off what takes long until the window is drawn", async () => {
    await using host = await TestHost.start();
    await using nvim = await startNeovim({
      program,
      config: { host_cmd: host.command },
      screen: { columns: 100, rows: 30 },
    });
    // Neovim runs what is scheduled in this order, and draws nothing before.
    await nvim.lua(`
      vim.cmd("CodexChat")
      vim.schedule(function()
        _G.found = {
          host = require("codex-chat.host").pid(),
          parsers = package.loaded["codex-chat.highlight.trees"] ~= nil,
          files = package.loaded["codex-chat.context.files"] ~= nil,
        }
      end)`);
    await nvim.until("_G.found", { parsers: false, files: false });
    await host.heard("chat/open");
    await nvim.until(`package.loaded["codex-chat.highlight.trees"] ~= nil`, true);
    await nvim.until(`package.loaded["codex-chat.context.files"] ~= nil`, true);
  });

  it("undoes typed text with u, but never what was sent or received", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const user = await chat.send("sent");
    await nvim.keys("first<Esc>osecond<Esc>");
    await nvim.until("vim.fn.getline('.')", "second");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one", "two"], gap: 1 });
    const above = ["## You", "", "sent", "", "one", "two", "", "## You"];
    await nvim.keys("u");
    await expect.poll(() => chat.body()).toEqual([...above, "first"]);
    await nvim.keys("9u");
    await expect.poll(() => chat.body()).toEqual([...above, ""]);
    await nvim.keys("<C-r><C-r>");
    await expect.poll(() => chat.body()).toEqual([...above, "first", "second"]);
  });

  it("finds the prompt below an answer that was cut off inside a code block", async () => {
    await using chat = await openChat({ program });
    const find = "return require('codex-chat.buffer.document').find_prompt(...)";
    const cut = ["## You", "", "Go.", "", "## Codex", "", "```js", "a", "", "## You", "", "draft"];
    expect(await chat.nvim.lua(find, cut)).toBe(9);
    // Code that is closed, and an open fence that is the user's own, are what they are.
    const quoted = ["## You", "", "## Codex", "", "```", "## You", "```", "", "## You", ""];
    expect(await chat.nvim.lua(find, quoted)).toBe(8);
    const typed = ["## You", "", "## Codex", "", "a", "", "## You", "", "```", "## You"];
    expect(await chat.nvim.lua(find, typed)).toBe(6);
  });
});
