import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../../src/log.ts";
import { LiveDocument } from "../../../src/session/document/live-document.ts";
import { openChat } from "../../support/chat.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

describe.each(neovims)("the host on Neovim $name", (program) => {
  it("is not started, nor anything loaded, before the plugin is used", async () => {
    await using host = await TestHost.start();
    await using nvim = await startNeovim({ program, config: { host_cmd: host.command } });
    const loaded =
      "return vim.tbl_filter(function(n) return vim.startswith(n, 'codex-chat') end, vim.tbl_keys(package.loaded))";
    expect(await nvim.lua(loaded)).toEqual([]);
    expect(host.editors).toEqual([]);
  });

  it("receives queries that were sent while it was starting", async () => {
    await using chat = await openChat({ program });
    expect(chat.host.told.map((told) => told.name)).toEqual(["chat/open"]);
    await chat.nvim.keys("at once<C-s>");
    expect((await chat.host.heard("turn/send")).text).toBe("at once");
  });

  it("is notified once each time the user begins to type a query, and of no other text", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    const lines = ["An answer."];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await nvim.keys("<Esc>gg/An answer<CR>A And more.<Esc>");
    await expect.poll(() => nvim.lines()).toContain("An answer. And more.");
    expect(host.of("sandbox/prepare")).toEqual([]);
    await nvim.keys("GAone two<Esc>");
    await expect.poll(() => nvim.lines()).toContain("one two");
    await nvim.keys("A three<Esc>");
    await expect.poll(() => nvim.lines()).toContain("one two three");
    await host.heard("sandbox/prepare", 2);
    expect(host.of("sandbox/prepare")).toEqual([{ buf: chat.buf }, { buf: chat.buf }]);
  });

  it("receives the settings that it knows, and no others", async () => {
    await using chat = await openChat({
      program,
      config: { model: "m", sandbox: { memory: 5, env: {} }, window: { size: 0.3 }, limits: {} },
    });
    expect(chat.host.of("chat/open")[0]?.settings).toEqual({
      model: "m",
      editor_tools: { buffers: true, cursor: true, diagnostics: true, quickfix: true, lsp: true },
      network: { allow: [], ask: true, no_proxy: [] },
      watch: { paths: [] },
      sandbox: { memory: 5, env: {} },
      state_dir: join(chat.nvim.home, "state/nvim/codex-chat"),
    });
  });

  it("that dies is reported, and started again by the next query with all chats", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.setState({ phase: "running" });
    await nvim.keys("<Esc>");
    await nvim.command("CodexChat new");
    await host.heard("chat/open", 2);
    host.crash();
    await expect.poll(() => nvim.messages()).toContain("The host ended with exit code 0");
    expect(await nvim.messages()).toContain("host.log");
    await nvim.until(`require('codex-chat.registry').get(${chat.buf}).state.phase`, "failed");
    await nvim.keys("again<C-s>");
    await host.heard("turn/send");
    expect(host.told.slice(2).map((told) => told.name)).toEqual([
      "chat/open",
      "chat/open",
      "turn/send",
    ]);
    expect(host.of("turn/send")[0]?.text).toBe("again");
  });

  it("that has ended, which Neovim does not know yet, is started again for a new conversation", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.lua(
      `vim.notify = function() end
       _G.ended = require("codex-chat.host").pid()
       for _, it in ipairs(vim.api.nvim_list_chans()) do
         if it.stream == "job" then vim.fn.chanclose(it.id) end
       end
       vim.cmd("CodexChat new")`,
    );
    // By then the new conversation may have started another one.
    await nvim.until("require('codex-chat.host').pid() ~= _G.ended");
    expect(await nvim.messages()).not.toContain("traceback");

    await nvim.keys("<Esc>Aagain<C-s>");

    expect((await host.heard("turn/send")).text).toBe("again");
  });

  it("leads to an error for every request if it ends first or cannot be started", async () => {
    await using chat = await openChat({ program });
    const { nvim, host, buf } = chat;
    await chat.setState({ phase: "idle" });
    const ask = `_G.got = nil
      local chat = require("codex-chat.registry").get(...)
      require("codex-chat.host.request").run(chat, "threads/archive", { thread = "t" }, function(value, err)
        _G.got = { value == nil, err }
      end)
      return _G.got == nil`;
    expect(await nvim.lua(ask, buf)).toBe(true);
    await host.heard("action/run");
    host.crash();
    await expect
      .poll(() => nvim.lua("return _G.got"))
      .toEqual([true, expect.stringContaining("threads/archive was not answered")]);
    await nvim.lua("vim.g.codex_chat = { host_cmd = { '/nonexistent/host' } }");
    expect(await nvim.lua(ask, buf)).toBe(false);
    expect(await nvim.lua("return _G.got")).toEqual([
      true,
      expect.stringContaining("The host could not be started"),
    ]);
  });

  it("leaves a queued query as the user has edited it when its turn begins", async () => {
    await using chat = await openChat({ program });
    const { nvim, host, buf, path } = chat;
    const opened = await LiveDocument.open({
      ...{ editor: host.editor, buf, path, root: nvim.cwd, prefix: "c", log: silentLog },
      stateDir: join(nvim.home, "state/nvim/codex-chat"),
    });
    if (!opened.ok) throw new Error(opened.error.message);
    const document = opened.value;
    // The host closes the fence, which is no edit of the user's.
    const text = "What is\n```\nan eror";
    await nvim.lua(
      `local chat = require("codex-chat.registry").get(0)
       vim.api.nvim_buf_set_lines(0, -1, -1, false, vim.split(..., "\\n"))
       require("codex-chat.commands.query.send").send(chat, "queue")`,
      text,
    );
    const { id } = await host.heard("turn/send");
    document.apply({ type: "sent", id, mode: "queue", text });
    await document.settled();
    expect(host.of("query/edit")).toEqual([]);
    await nvim.keys("<Esc>:1<CR>/eror<CR>cwerror<Esc>/```$<CR>oby the way<Esc>");
    const edited = "What is\n```\nan error\n```\nby the way";
    await expect.poll(() => host.of("query/edit").at(-1)).toEqual({ buf, id, text: edited });
    document.queryEdited(id, edited);
    document.apply({ type: "sent", id, mode: "start", text });
    await document.settled();
    expect(document.asEdited([{ id, text }])).toEqual([{ id, text: edited }]);
    expect((await chat.body()).join("\n")).toContain(`${edited}\n\n## Codex`);

    // Once it is answered, the host has no use for more.
    const before = host.of("query/edit").length;
    await host.editor.call.event_emit("QueryHeard", { buf, ids: [id] });
    await host.editor.call.event_emit("TurnEnded", { buf, status: "failed" });
    await nvim.keys(":1<CR>/error<CR>x");
    await host.heard("query/edit", before + 1);
    await host.editor.call.event_emit("TurnEnded", { buf, status: "completed" });
    await nvim.keys("x");
    await nvim.until("vim.fn.getline('.')", "an ror");
    await chat.edit();
    expect(host.of("query/edit")).toHaveLength(before + 1);
    await document.close(undefined);
  });

  it("updates the winbar's token count during a turn", async () => {
    await using chat = await openChat({ program });
    const { nvim, host, buf, path } = chat;
    const opened = await LiveDocument.open({
      ...{ editor: host.editor, buf, path, root: nvim.cwd, prefix: "c", log: silentLog },
      stateDir: join(nvim.home, "state/nvim/codex-chat"),
    });
    if (!opened.ok) throw new Error(opened.error.message);
    opened.value.setState({ phase: "running" });
    for (const count of [4, 9])
      opened.value.apply({
        method: "thread/tokenUsage/updated",
        params: {
          ...{ threadId: "t", turnId: "u" },
          tokenUsage: {
            ...{ total: { totalTokens: count }, last: { totalTokens: count } },
            modelContextWindow: 100,
          },
        },
      });
    const state = `return require("codex-chat.registry").get(${buf}).state`;
    await expect
      .poll(() => nvim.lua(state))
      .toMatchObject({ phase: "running", tokens: { last: 9, total: 9, window: 100 } });
    await opened.value.close(undefined);
  });

  it("that is missing leaves a chat that names the fix", async () => {
    await using nvim = await startNeovim({ program, config: { node: "no-such-node" } });
    await nvim.command("CodexChat");
    await nvim.keys("typed<C-s><Esc>");
    await expect.poll(() => nvim.messages()).toContain("Node was not found as `no-such-node`");
    await nvim.until("require('codex-chat').status().phase", "failed");
    expect(await nvim.lua("return vim.wo.winbar")).toContain("failed");
    // `node` set to the path of one, as the message says.
    await nvim.lua("vim.g.codex_chat = { node = ... }", process.execPath);
    await nvim.keys("Goagain<C-s><Esc>");
    await nvim.until("require('codex-chat.registry').get(0).host", "attached");
  });

  it("refuses a Node that is too old, and names the one that is needed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-node-"));
    try {
      const node = join(dir, "node");
      await writeFile(
        node,
        '#!/bin/sh\n[ "$1" = --version ] && echo v18.19.0 && exit\nexec sleep 30\n',
      );
      await chmod(node, 0o755);
      await using nvim = await startNeovim({ program, config: { node } });
      await nvim.command("CodexChat");
      await expect
        .poll(() => nvim.messages())
        .toMatch(/Node is v18\.19\.0, and 20\.19 or newer is needed \(.*node\).*codex-chat-node/s);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("that was not built leads to a request to build it in the plugin's directory", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-plugin-"));
    try {
      await mkdir(join(dir, "lua"));
      await using nvim = await startNeovim({ program });
      await nvim.lua("require('codex-chat.host.command').dir = ...", dir);
      await nvim.command("CodexChat");
      await expect
        .poll(() => nvim.messages())
        .toContain(`Run \`npm ci && npm run build\` in ${dir}`);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("lets Lua save the text that it is missing when Neovim exits", async () => {
    await using chat = await openChat({ program });
    const { nvim, host, path } = chat;
    await chat.setState({ phase: "idle" });
    await nvim.keys("a last word<Esc>");
    await nvim.until("vim.fn.getline('.')", "a last word");
    host.isBehind = true;
    await nvim.keys(":qa<CR>");
    expect(await nvim.exited).toBe(0);
    expect(host.of("chat/leave")).toHaveLength(1);
    expect(await readFile(path, "utf8")).toContain("a last word");
  });

  it("that has not answered yet is not relied on when Neovim exits and saves half-typed text", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.keys("half typed<Esc>");
    await chat.nvim.until("vim.fn.getline('.')", "half typed");
    await chat.nvim.keys(":qa<CR>");
    expect(await chat.nvim.exited).toBe(0);
    expect(await readFile(chat.path, "utf8")).toContain("half typed\n");
  });

  it("can move the chat to a new conversation with the half-typed text", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    const user = await chat.send("old");
    await chat.edit(
      { op: "insert", id: "a", after: user, lines: ["answer", "```", "output", "```"], gap: 1 },
      { op: "fold", from: "a", to: "a", label: "output" },
    );
    const folds =
      "vim.tbl_filter(function(l) return vim.fn.foldlevel(l) > 0 end, vim.fn.range(1, vim.fn.line('$')))";
    expect(await nvim.lua<number[]>(`return ${folds}`)).not.toEqual([]);
    await nvim.keys("half typed<Esc>");
    await nvim.until("vim.fn.getline('.')", "half typed");
    const path = chat.path.replace(/[^/]*$/, "fresh.md");
    await host.editor.call.chat_relocate(chat.buf, {
      path,
      reason: "It is open in another Neovim.",
    });
    expect(await chat.body()).toEqual(["## You", "half typed"]);
    // The front matter of the new conversation.
    expect(await nvim.lua(`return ${folds}`)).toEqual([1, 2, 3, 4, 5]);
    expect(await nvim.lua("return vim.fn.foldclosedend(1)")).toBe(5);
    expect(await nvim.lua("return vim.fn.getline('.')")).toBe("half typed");
    expect((await host.heard("chat/open", 2)).path).toBe(path);
    expect(await nvim.messages()).toContain("It is open in another Neovim.");
  });

  it("takes back the last turn where the cursor is above the first one", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 20 } });
    const { nvim, host } = chat;
    const first = await chat.send("one");
    await chat.edit({ op: "insert", id: "a", after: first, lines: ["## Codex"], gap: 1 });
    await chat.send("two");
    await nvim.keys("<Esc>gg:CodexChat undo<CR>");
    expect(await host.heard("action/run")).toMatchObject({
      name: "changes/undo",
      params: { scope: "turn" },
    });
    // In an earlier turn it asks.
    await nvim.lua("vim.fn.search('^one$', 'w')");
    await nvim.keys(":CodexChat undo<CR>");
    await nvim.untilShown("Take back the changes of which turn?");
    await nvim.keys("1<CR>");
    expect((await host.heard("action/run", 2)).params).toMatchObject({ scope: "turn" });
  });

  it("can move the chat to a new conversation, and queries not yet taken return to the prompt", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    const user = await chat.send("answered");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["answer"], gap: 1 });
    await chat.send("first");
    await chat.send("second");
    await nvim.keys("<Esc>");
    await host.editor.call.chat_relocate(chat.buf, { reason: "It is open elsewhere." });
    expect((await chat.body()).filter((line) => line !== "")).toEqual([
      "## You",
      "first",
      "second",
    ]);
    expect(await nvim.messages()).toContain("send it again");
    await nvim.command("CodexChat send");
    expect((await host.heard("turn/send", 4)).text).toBe("first\n\nsecond");
  });

  it("sets its front matter keys and leaves the others", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await host.editor.call.buf_set_meta(chat.buf, { thread: "t-1", model: "a: b" });
    await host.editor.call.buf_set_meta(chat.buf, { thread: "t-2" });
    expect((await nvim.lines()).slice(0, 7)).toEqual([
      "---",
      "codex-chat: 1",
      `project: ${nvim.cwd}`,
      expect.stringMatching(/^created: /),
      "thread: t-2",
      'model: "a: b"',
      "---",
    ]);
  });

  it("raises User events with their data", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.lua(
      "vim.api.nvim_create_autocmd('User', { pattern = 'CodexChatTurnEnded', callback = function(a) _G.got = a.data end })",
    );
    await chat.host.editor.call.event_emit("TurnEnded", { status: "completed" });
    expect(await chat.nvim.lua("return _G.got")).toEqual({ status: "completed" });
  });
});

describe.each(neovims)("files that the agent changed, on Neovim $name", (program) => {
  it("are reloaded if no user text is lost, at the same place and without modelines", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 20 } });
    const { nvim, host } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p");
    const clean = join(nvim.cwd, "clean.txt");
    const dirty = join(nvim.cwd, "dirty.txt");
    const lines = Array.from({ length: 100 }, (_, n) => `line ${n}`);
    await writeFile(clean, lines.join("\n"));
    await writeFile(dirty, "theirs\n");
    await nvim.command("set noautoread modeline");
    await nvim.command("edit dirty.txt | call setline(1, 'mine') | set hidden | edit clean.txt");
    await nvim.type("50Gzt3j");
    const view = await nvim.lua("return vim.fn.winsaveview()");
    await writeFile(
      clean,
      [...lines.slice(0, 90), "changed", "# vim: set textwidth=7:"].join("\n"),
    );
    await writeFile(dirty, "theirs again\n");
    await host.editor.call.buf_reload({ root: nvim.cwd });
    expect((await nvim.lines()).slice(-2)).toEqual(["changed", "# vim: set textwidth=7:"]);
    expect(await nvim.lua("return { vim.bo.textwidth, vim.o.autoread, vim.bo.modeline }")).toEqual([
      0,
      false,
      true,
    ]);
    expect(await nvim.lua("return vim.fn.winsaveview()")).toEqual(view);
    expect(await nvim.lua("return vim.fn.getbufline('dirty.txt', 1)")).toEqual(["mine"]);
  });
});
