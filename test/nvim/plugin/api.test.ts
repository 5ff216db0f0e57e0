import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CallArgs } from "../../../src/nvim/methods.ts";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";

const API = "local api = require('codex-chat')\n";

/** Has Lua note every event's name and data in the global `seen`. */
async function listen(chat: OpenChat, event = "*"): Promise<void> {
  await chat.nvim.lua(
    `${API}seen = {}; off = api.on(..., function(data, name) table.insert(seen, { name, data }) end)`,
    event,
  );
}

type EventName = CallArgs<"event_emit">[0];
type Seen = [name: string, data: Record<string, unknown>][];

async function seen(chat: OpenChat): Promise<Seen> {
  return chat.nvim.lua<Seen>("return seen");
}

async function emit(chat: OpenChat, name: EventName, data: Record<string, unknown>): Promise<void> {
  expect((await chat.host.editor.call.event_emit(name, { buf: chat.buf, ...data })).ok).toBe(true);
}

describe.each(neovims)("the Lua API on Neovim $name", (program) => {
  it("returns a conversation's status, and the same table until it changes", async () => {
    await using chat = await openChat({ program });
    await chat.setState({
      phase: "idle",
      model: "gpt-5.5",
      sandbox: "gVisor",
      tokens: { last: 10, total: 20, window: 100 },
    });
    expect(await chat.nvim.lua(`${API}return api.status()`)).toEqual({
      buf: chat.buf,
      path: chat.path,
      root: chat.nvim.cwd,
      phase: "idle",
      busy: false,
      model: "gpt-5.5",
      sandbox: "gVisor",
      tokens: { last: 10, total: 20, window: 100 },
      queued: 0,
      waiting: 0,
    });
    expect(await chat.nvim.lua(`${API}return rawequal(api.status(), api.status())`)).toBe(true);
    await chat.nvim.lua(`${API}before = api.status()`);
    await chat.setState({ phase: "running", queued: 2 });
    expect(
      await chat.nvim.lua(`${API}local s = api.status(); return { s.busy, s.queued, s.elapsed }`),
    ).toEqual([true, 2, 0]);
    expect(await chat.nvim.lua("return before.phase")).toBe("idle");
  });

  it("returns the status of the project's conversation in other buffers, without looking it up each time", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.command("wincmd p | edit some.txt");
    const counted = await chat.nvim.lua(
      `${API}local project = require("codex-chat.project"); local of_buf, n = project.of_buf, 0
       project.of_buf = function(...) n = n + 1; return of_buf(...) end
       local status
       for _ = 1, 100 do status = api.status(); api.statusline() end
       project.of_buf = of_buf
       return { status.buf, n }`,
    );
    expect(counted).toEqual([chat.buf, 1]);
  });

  it("returns nothing if no conversation is open", async () => {
    await using nvim = await startNeovim({ program });
    expect(
      await nvim.lua(
        `${API}return { api.status() == nil, api.statusline(), api.chats(), api.text() == nil, api.send(), api.stop(), api.retry(), api.answer("accept") }`,
      ),
    ).toEqual([true, "", [], true, false, false, false, false]);
  });

  it("reports a buffer that is not a conversation, an unknown event and an unknown part", async () => {
    await using chat = await openChat({ program });
    const failure = (source: string) =>
      chat.nvim.lua(`${API}return select(2, pcall(function() ${source} end))`);
    expect(await failure("api.stop({ buf = 99 })")).toContain("buffer 99 is not a conversation");
    expect(await failure("api.on('TurnEnd', print)")).toContain("there is no event `TurnEnd`");
    expect(await failure("api.statusline({ parts = { 'mood' } })")).toContain("no part `mood`");
  });

  it("renders a statusline part, again as soon as something changes", async () => {
    await using chat = await openChat({
      program,
      screen: { columns: 120, rows: 20 },
      args: ["-c", "set laststatus=3 statusline=%{%v:lua.require'codex-chat'.statusline()%}<"],
    });
    const { nvim } = chat;
    await nvim.untilShown("\ncodex ready<");
    await chat.setState({ phase: "running", queued: 1 });
    await nvim.untilShown(/\ncodex working \d+s · 1 queued</);
    await nvim.untilShown("codex working 1s");
    await chat.setState({ phase: "waiting" });
    await nvim.untilShown("\ncodex waiting for you<");
    expect(
      await nvim.lua(
        `${API}return api.statusline({ prefix = "100%: ", parts = { "model", "tokens" } })`,
      ),
    ).toBe("100%%: ");
    await chat.setState({ phase: "idle", model: "a%b", tokens: { last: 5, window: 10 } });
    expect(
      await nvim.lua(`${API}return api.statusline({ prefix = "", parts = { "model", "tokens" } })`),
    ).toBe("a%%b · 5 tokens, 50%%");
  });

  it("works as a lualine component", async () => {
    await using chat = await openChat({ program });
    // lualine's class, as far as a component sees it.
    const dir = join(chat.nvim.cwd, "lualine", "lua", "lualine");
    await mkdir(dir, { recursive: true });
    await writeFile(
      join(dir, "component.lua"),
      `local Class = {}
       function Class:extend() local c = setmetatable({ super = self }, { __index = self }); c.__index = c; return c end
       function Class:new(options) return setmetatable({ options = options }, self) end
       Class.__index = Class
       return Class`,
    );
    await chat.nvim.lua("vim.opt.rtp:append(...)", join(chat.nvim.cwd, "lualine"));
    const text = (options: string) =>
      chat.nvim.lua(
        `return require("lualine.components.codex_chat"):new(${options}):update_status()`,
      );
    expect(await text("{}")).toBe("codex ready");
    await chat.setState({ phase: "failed", model: "m" });
    expect(await text('{ prefix = "> ", parts = { "model", "phase" } }')).toBe("> m · failed");
  });

  it("opens, hides and creates conversations, and lists them with their text", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await chat.send("first");
    expect(await nvim.lua(`${API}return api.text()`)).toContain("## You\n\nfirst\n\n## You\n");
    const second = await nvim.lua<number>(`${API}return api.new()`);
    expect(second).not.toBe(chat.buf);
    expect(
      await nvim.lua(`${API}return vim.tbl_map(function(s) return s.buf end, api.chats())`),
    ).toEqual([chat.buf, second]);
    await nvim.keys("<Esc>");
    await nvim.until("vim.api.nvim_get_mode().mode", "n");
    await nvim.lua(`${API}api.toggle()`);
    expect(await nvim.buf()).not.toBe(second);
    expect(await nvim.lua(`${API}return api.open({ insert = false })`)).toBe(second);
    expect(await nvim.mode()).toBe("n");
    expect(await nvim.lua(`${API}return api.text({ buf = ... })`, chat.buf)).toContain("first");
  });

  it("stops, retries, answers and runs every subcommand", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.setState({ phase: "running" });
    expect(
      await nvim.lua(`${API}return { api.stop(), api.retry(), api.answer("accept") }`),
    ).toEqual([true, true, false]);
    await host.heard("turn/interrupt");
    await host.heard("turn/retry");
    for (const id of ["q1", "q2"]) {
      await chat.edit({ op: "insert", id, after: "history", lines: ["**Asks**"], gap: 1 });
      await host.editor.call.buf_set_approval(chat.buf, {
        id,
        block: id,
        kind: "command",
        choices: ["accept", "decline"],
      });
    }
    expect(
      await nvim.lua(
        `${API}return { api.status().waiting, api.answer("accept", { id = "q2" }), api.answer("cancel"), api.answer("decline", { reason = "no" }) }`,
      ),
    ).toEqual([2, true, false, true]);
    const answers = host.of("approval/answer");
    await host.heard("approval/answer", 2);
    expect(answers.length === 2 ? answers : host.of("approval/answer")).toEqual([
      { buf: chat.buf, id: "q2", decision: "accept" },
      { buf: chat.buf, id: "q1", decision: "decline", reason: "no" },
    ]);
    await nvim.lua(`${API}api.run("send", "by name")`);
    expect((await host.heard("turn/send")).text).toBe("by name");
  });

  it("calls back with the answer when a query's turn is over", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.lua(
      `${API}ends = {}
       local function on_end(n) return function(e) e.n = n; table.insert(ends, e) end end
       api.ask("one", { on_end = on_end(1) })
       api.ask("two", { mode = "queue", on_end = on_end(2) })
       api.ask("three", { on_end = function() error("broken") end })`,
    );
    const { id } = await host.heard("turn/send", 1);
    const { id: queued } = await host.heard("turn/send", 2);
    const { id: steered } = await host.heard("turn/send", 3);
    await emit(chat, "QueryHeard", { ids: [id] });
    await emit(chat, "QueryHeard", { ids: [steered] });
    await chat.edit(
      { op: "insert", id: "h", after: id, lines: ["## Codex"], gap: 1 },
      { op: "insert", id: "a", after: "h", lines: ["The answer.", "", "All of it."], gap: 1 },
    );
    await emit(chat, "TurnEnded", { status: "completed" });
    expect(await nvim.lua("return ends")).toEqual([
      { n: 1, status: "completed", answer: "The answer.\n\nAll of it." },
    ]);
    expect(await nvim.messages()).toContain("on_end failed");
    await emit(chat, "QueryHeard", { ids: [queued] });
    await emit(chat, "TurnEnded", {
      status: "failed",
      failure: { kind: "turn", message: "It broke." },
    });
    expect((await nvim.lua<unknown[]>("return ends")).slice(1)).toEqual([
      {
        n: 2,
        status: "failed",
        answer: "",
        failure: { kind: "turn", message: "It broke." },
      },
    ]);
    await nvim.lua(
      `${API}api.ask("four", { on_end = function(e) last = e end }); vim.cmd("bwipeout! " .. ...)`,
      chat.buf,
    );
    expect(await nvim.lua("return last")).toEqual({ status: "closed", answer: "" });
  });

  it("calls back when the host dies or cannot be started", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.lua(`${API}api.ask("one", { on_end = function(e) first = e end })`);
    await chat.host.heard("turn/send");
    chat.host.crash();
    await nvim.until("first ~= nil and first.status", "failed");
    await nvim.lua(
      `vim.g.codex_chat = { node = "/nonexistent" }
       require("codex-chat").ask("two", { on_end = function(e) second = e end })`,
    );
    await nvim.until("second ~= nil and second.status", "failed");
  });
});

describe.each(neovims)("events on Neovim $name", (program) => {
  it("report the whole life of a conversation", async () => {
    await using chat = await openChat({ program });
    const { nvim, host, buf, path } = chat;
    await listen(chat);
    const root = nvim.cwd;
    await chat.setState({ phase: "idle", model: "m" });
    await chat.send("go on");
    await chat.setState({ phase: "running" });
    await emit(chat, "TurnStarted", { turnId: "t1" });
    await chat.edit({ op: "insert", id: "q", after: "history", lines: ["**Asks**"], gap: 1 });
    await host.editor.call.buf_set_approval(buf, { id: "q1", block: "q", kind: "command" });
    await emit(chat, "ApprovalRequested", { id: "q1", title: "Codex asks to run: ls" });
    await nvim.lua(`${API}api.answer("accept")`);
    await host.editor.call.buf_set_approval(buf, { id: "q1", remove: true });
    await host.editor.call.buf_reload({ root });
    const name = path.replace(/[^/]*$/, "named.md");
    await host.editor.call.buf_set_name(buf, name);
    await emit(chat, "TurnEnded", { status: "completed" });
    await nvim.command(`bwipeout! ${buf}`);
    const state = { buf, path, root, busy: false, queued: 0, waiting: 0, model: "m" };
    expect(await seen(chat)).toEqual([
      ["StateChanged", { ...state, phase: "idle", previous: "idle" }],
      ["QuerySent", { buf, id: "user:1", text: "go on", mode: "steer" }],
      ["StateChanged", { ...state, phase: "running", busy: true, elapsed: 0, previous: "idle" }],
      ["TurnStarted", { buf, turnId: "t1" }],
      ["ApprovalRequested", { buf, id: "q1", title: "Codex asks to run: ls" }],
      ["ApprovalAnswered", { buf, id: "q1", decision: "accept" }],
      ["FilesChanged", { root }],
      ["Renamed", { buf, path: name, previous: path }],
      ["TurnEnded", { buf, status: "completed" }],
      ["StateChanged", { ...state, path: name, phase: "idle", previous: "running" }],
      ["Closed", { buf, path: name, root }],
    ]);
  });

  it("are User autocommands that can be removed, and a failing handler breaks nothing", async () => {
    await using chat = await openChat({ program });
    await listen(chat, "CodexChatTurnEnded");
    await chat.nvim.command(
      "autocmd User CodexChatTurnEnded let g:ended = get(g:, 'ended', 0) + 1",
    );
    await chat.nvim.command("autocmd User CodexChatTurnStarted throw 'oops'");
    await emit(chat, "TurnStarted", { turnId: "t" });
    expect(await chat.nvim.messages()).toContain("oops");
    await emit(chat, "TurnEnded", { status: "completed" });
    await chat.nvim.lua("off()");
    await emit(chat, "TurnEnded", { status: "completed" });
    expect(await seen(chat)).toHaveLength(1);
    expect(await chat.nvim.lua("return vim.g.ended")).toBe(2);
  });

  it("give the place of an opened conversation", async () => {
    await using chat = await openChat({ program });
    await listen(chat, "Opened");
    const buf = await chat.nvim.lua<number>(`${API}return api.new()`);
    expect(await seen(chat)).toEqual([
      [
        "Opened",
        {
          buf,
          path: await chat.nvim.lua("return vim.api.nvim_buf_get_name(...)", buf),
          root: chat.nvim.cwd,
        },
      ],
    ]);
  });
});

describe.each(neovims)("notifications on Neovim $name", (program) => {
  /** Has Lua note messages instead of showing them. */
  async function hush(chat: OpenChat): Promise<void> {
    await chat.nvim.lua(
      "told = {}; vim.notify = function(text, level) table.insert(told, { text, level }) end",
    );
  }
  async function finishTurn(chat: OpenChat, end: Record<string, unknown>): Promise<void> {
    await chat.setState({ phase: "running" });
    await chat.setState({ phase: "idle" });
    await emit(chat, "TurnEnded", end);
  }
  const told = (chat: OpenChat) => chat.nvim.lua<unknown>("return told");

  it("appear while the chat is in no window of the tabpage, and not otherwise", async () => {
    await using chat = await openChat({ program });
    await hush(chat);
    await finishTurn(chat, { status: "completed" });
    await emit(chat, "ApprovalRequested", { id: "q", title: "Codex asks to run: ls" });
    expect(await told(chat)).toEqual([]);
    await chat.nvim.command("tabnew");
    await finishTurn(chat, { status: "completed" });
    await finishTurn(chat, { status: "interrupted" });
    await finishTurn(chat, {
      status: "failed",
      failure: { kind: "turn", message: `No\u001b answer\n${"x".repeat(200)}` },
    });
    await emit(chat, "ApprovalRequested", { id: "q", title: "Codex asks to run: ls" });
    const project = chat.nvim.cwd.replace(/.*\//, "");
    expect(await told(chat)).toEqual([
      [`codex-chat: Codex is done after 0s (${project})`, 2],
      [expect.stringMatching(/^codex-chat: Codex stopped: No {2}answer\nx{200} \(/), 4],
      [`codex-chat: Codex asks to run: ls. :CodexChat question goes there (${project})`, 3],
    ]);
  });

  it("appear while Neovim has no focus", async () => {
    await using chat = await openChat({ program });
    await hush(chat);
    await chat.nvim.command("doautocmd FocusLost");
    await finishTurn(chat, { status: "completed" });
    await chat.nvim.command("doautocmd FocusGained");
    await finishTurn(chat, { status: "completed" });
    expect(await told(chat)).toHaveLength(1);
  });

  it("appear once if the next turn begins at once", async () => {
    await using chat = await openChat({ program });
    await hush(chat);
    await chat.nvim.command("tabnew");
    await chat.setState({ phase: "running" });
    await chat.setState({ phase: "starting" });
    await emit(chat, "TurnEnded", { status: "completed" });
    expect(await told(chat)).toEqual([]);
  });

  it("can be switched off", async () => {
    await using chat = await openChat({
      program,
      config: { notify: { done: false, waiting: false } },
    });
    await hush(chat);
    await chat.nvim.command("tabnew");
    await finishTurn(chat, { status: "completed" });
    await emit(chat, "ApprovalRequested", { id: "q", title: "Codex asks" });
    expect(await told(chat)).toEqual([]);
  });
});

/** What one Lua module calls of another and that one has not: luacheck looks at one file at a time. */
const MISSING = String.raw`
  local missing = {}
  local dir = ... .. "/lua/codex-chat/"
  for _, path in ipairs(vim.fn.globpath(dir, "**/*.lua", true, true)) do
    local source = table.concat(vim.fn.readfile(path), "\n")
    local function look(module, name)
      local loaded = require(module)
      if type(loaded) == "table" and loaded[name] == nil then
        missing[#missing + 1] = ("%s: %s.%s"):format(path:sub(#dir + 1), module, name)
      end
    end
    local by_name = [=[require%(["'](codex%-chat[%w._-]*)["']%)%.(%a[%w_]*)%(]=]
    for module, name in source:gmatch(by_name) do
      look(module, name)
    end
    local by_alias = [=[local ([%w_]+) = require%("(codex%-chat[%w._-]*)"%)%s]=]
    for alias, module in source:gmatch(by_alias) do
      for name in source:gmatch("%f[%w_.]" .. alias .. "%.(%a[%w_]*)%(") do
        look(module, name)
      end
    end
  end
  return missing`;

describe.each(neovims)("the Lua modules on Neovim $name", (program) => {
  it("call no function of one another that does not exist", async () => {
    await using nvim = await startNeovim({ program });
    expect(await nvim.lua(MISSING, repository)).toEqual([]);
  });
});
