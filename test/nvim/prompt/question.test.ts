import { describe, expect, it } from "vitest";
import type { ApprovalChange } from "../../../src/nvim/shapes.ts";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

type Fields = NonNullable<Extract<ApprovalChange, { fields?: unknown }>["fields"]>;
type Field = Fields[number];

const field = (given: Partial<Field>): Field => ({
  name: "q",
  label: "Store",
  type: "text",
  required: true,
  secret: false,
  options: [],
  other: false,
  ...given,
});

const store = field({
  name: "db",
  description: "Where shall it go?",
  type: "choice",
  options: [
    { value: "SQLite", label: "SQLite", description: "One file." },
    { value: "Postgres", label: "Postgres", description: "" },
  ],
  other: true,
});

/** A conversation in which something is asked, with the cursor on it. */
async function ask(chat: OpenChat, change: object): Promise<void> {
  const user = await chat.send("go on");
  await chat.edit(
    { op: "insert", id: "h", after: user, lines: ["## Codex"], gap: 1 },
    { op: "insert", id: "q", after: "h", lines: ["**Asks** a question"], gap: 1 },
    { op: "insert", id: "why", after: "q", lines: ["> 1. SQLite"], gap: 0 },
  );
  await chat.host.editor.call.buf_set_approval(chat.buf, {
    id: "q1",
    block: "q",
    kind: "questions",
    choices: ["accept", "decline", "cancel"],
    ...change,
  } as ApprovalChange);
  await chat.nvim.keys("<Esc>");
  await chat.nvim.lua(`vim.fn.search("Asks", "w")`);
}

/** What the user picks in menus and types into inputs, one after the other. */
async function willSay(chat: OpenChat, ...said: (string | number | false)[]): Promise<void> {
  await chat.nvim.lua(
    `local said = { ... }
     _G.prompts, _G.offered, _G.opened = {}, {}, {}
     local function next(opts)
       table.insert(_G.prompts, opts.prompt)
       return table.remove(said, 1) or nil
     end
     vim.ui.select = function(items, opts, done)
       table.insert(_G.offered, vim.tbl_map(opts.format_item or tostring, items))
       local n = next(opts)
       done(n and items[n], n)
     end
     vim.ui.input = function(opts, done) done(next(opts)) end
     vim.ui.open = function(url) table.insert(_G.opened, url) end`,
    ...said,
  );
}

const answers = (chat: OpenChat) => chat.host.of("approval/answer").map((answer) => answer.answers);

describe.each(neovims)("a question on Neovim $name", (program) => {
  const screen = { columns: 120, rows: 40 };

  it("is answered by the number of an option", async () => {
    await using chat = await openChat({ program, screen });
    await ask(chat, { fields: [store] });
    await chat.nvim.untilShown(
      / 1-3 {2}pick {4}a {2}answer {4}d {2}no, because …[^c]+ c {2}no, and stop/,
    );
    await chat.nvim.keys("2");
    expect(await chat.host.heard("approval/answer")).toEqual({
      buf: chat.buf,
      id: "q1",
      decision: "accept",
      answers: { db: "Postgres" },
    });
  });

  it("leaves numbers that pick nothing, and numbers elsewhere, as counts", async () => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [store] });
    await chat.nvim.keys("4kgg2j");
    // Below the front matter, which is folded to one line.
    expect((await chat.nvim.cursor())[0]).toBe(7);
    expect(answers(chat)).toEqual([]);
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    expect(await chat.nvim.lua("return vim.fn.maparg('1', 'n')")).toBe("");
  });

  it("leaves numbers alone if configured so", async () => {
    await using chat = await openChat({ program, config: { keys: { pick: false } } });
    await ask(chat, { fields: [store] });
    expect(await chat.nvim.lua("return vim.fn.maparg('1', 'n')")).toBe("");
  });

  it("is answered in one's own words if that is allowed", async () => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [store] });
    await willSay(chat, "a text file");
    await chat.nvim.keys("3");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ db: "a text file" });
  });

  it("is answered by a command from anywhere: by text, number or menu", async () => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [store, field({ name: "n", label: "How many", type: "integer" })] });
    await chat.nvim.command("wincmd p");
    await chat.nvim.command("CodexChat answer sqlite");
    await chat.nvim.command("CodexChat answer many");
    expect(await chat.nvim.messages()).toContain("How many must be a whole number");
    await chat.nvim.command("CodexChat answer 12");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ db: "SQLite", n: 12 });
  });

  it("is answered from Lua only with values for its fields", async () => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [store] });
    const api = `return require("codex-chat").answer("accept", ...)`;
    expect(await chat.nvim.lua(api)).toBe(false);
    expect(await chat.nvim.lua(api, { answers: { db: "Postgres" } })).toBe(true);
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ db: "Postgres" });
    expect(await chat.nvim.lua(api, { id: "q1", answers: {} })).toBe(true);
    expect((await chat.host.heard("approval/answer", 2)).answers).toEqual({});
  });

  it("asks its fields one after the other, and resumes where the user left", async () => {
    await using chat = await openChat({ program, screen });
    const sure = field({ name: "sure", label: "Really", type: "boolean", required: false });
    await ask(chat, { fields: [store, sure, field({ name: "why", label: "Why" })] });
    await chat.nvim.untilShown("1 of 3: Store");
    await willSay(chat, 1, false);
    await chat.nvim.keys("a");
    await chat.nvim.untilShown("2 of 3: Really");
    await chat.nvim.untilShown(" 1-2  pick");
    await chat.nvim.keys("2");
    await chat.nvim.untilShown("3 of 3: Why");
    await willSay(chat, "", "because");
    await chat.nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({
      db: "SQLite",
      sure: false,
      why: "because",
    });
    expect(await chat.nvim.messages()).toContain("Why is needed");
  });

  it.each<[string, Partial<Field>, string[], unknown]>([
    ["a whole number", { type: "integer", min: 1, max: 9 }, ["x", "1.5", "0x2", "10", "9"], 9],
    ["a number", { type: "number", min: 0.5 }, ["inf", "nan", "0.1", "1e1"], 10],
    ["an email address", { format: "email" }, ["me", "a@b", "a@b.c"], "a@b.c"],
    ["a URI", { format: "uri" }, ["no", "x:", "https://x.y"], "https://x.y"],
    ["a date", { format: "date" }, ["today", "2026-01-31"], "2026-01-31"],
    ["a text of limited length", { min: 2, max: 3 }, ["ä", "äöüß", "äöü"], "äöü"],
  ])("accepts %s only as its schema allows", async (_, given, said, value) => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [field(given)] });
    await willSay(chat, ...said);
    await chat.nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ q: value });
    expect(await chat.nvim.lua("return #_G.prompts")).toBe(said.length);
  });

  it("accepts several options, up to the allowed number", async () => {
    await using chat = await openChat({ program });
    const options = ["a", "b", "c"].map((value) => ({ value, label: value, description: "" }));
    const several = field({ type: "choices", options, max: 2, default: ["c"] });
    await ask(chat, { fields: [several] });
    await willSay(chat, 1, 2, 4, 3, 4);
    await chat.nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ q: ["a", "b"] });
    expect(await chat.nvim.lua("return _G.offered[1]")).toEqual([
      "[ ] a",
      "[ ] b",
      "[x] c",
      "Done",
    ]);
  });

  it("may be skipped if nothing is required, and offers the default first", async () => {
    await using chat = await openChat({ program });
    const open = { required: false };
    const chosen = field({ ...store, ...open, name: "a", other: false, default: "Postgres" });
    await ask(chat, { fields: [chosen, field({ ...open, name: "b" })] });
    await willSay(chat, 3, "");
    await chat.nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({});
    expect(await chat.nvim.lua("return _G.offered[1]")).toEqual([
      "Postgres",
      "SQLite — One file.",
      "Skip",
    ]);
  });

  it("never shows a secret", async () => {
    await using chat = await openChat({ program, screen });
    await ask(chat, { fields: [field({ label: "Token", secret: true })] });
    await chat.nvim.command("CodexChat answer hunter2");
    expect(await chat.nvim.messages()).toContain("Token is secret");
    expect(answers(chat)).toEqual([]);
    await chat.nvim.keys("a");
    await chat.nvim.untilShown("Token:");
    await chat.nvim.keys("s3cret<CR>");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({ q: "s3cret" });
    const seen = await chat.nvim.lua(
      `local seen = { vim.api.nvim_exec2("messages", { output = true }).output }
       for _, name in ipairs({ "cmd", "search", "expr", "input", "debug" }) do
         table.insert(seen, vim.api.nvim_exec2("history " .. name, { output = true }).output)
       end
       for _, buf in ipairs(vim.api.nvim_list_bufs()) do
         vim.list_extend(seen, vim.api.nvim_buf_get_lines(buf, 0, -1, false))
       end
       return table.concat(seen, "\\n")`,
    );
    expect(seen).not.toContain("s3cret");
    expect(chat.nvim.screen?.text()).not.toContain("s3cret");
  });

  it("cannot be answered once Codex has withdrawn it", async () => {
    await using chat = await openChat({ program });
    await ask(chat, { fields: [store] });
    await chat.nvim.lua(
      `vim.ui.select = function(items, _, done) _G.pick = function() done(items[1], 1) end end`,
    );
    await chat.nvim.keys("a");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await chat.nvim.lua("_G.pick()");
    await chat.nvim.command("CodexChat answer");
    expect(await chat.nvim.messages()).toContain("no question is waiting for an answer");
    expect(answers(chat)).toEqual([]);
  });

  it("keeps its half-given answer when the chat is hidden and shown", async () => {
    await using chat = await openChat({ program, screen });
    await ask(chat, { fields: [store, field({ name: "why", label: "Why" })] });
    await chat.nvim.keys("1");
    await chat.nvim.untilShown("2 of 2: Why");
    await chat.nvim.command("CodexChat toggle");
    await chat.nvim.command("CodexChat toggle");
    await chat.nvim.untilShown("2 of 2: Why");
    await chat.nvim.command("CodexChat answer because");
    expect((await chat.host.heard("approval/answer")).answers).toEqual({
      db: "SQLite",
      why: "because",
    });
  });
});

describe.each(neovims)("a web page to open on Neovim $name", (program) => {
  const page = { kind: "page", url: "https://example.org/login" };

  it("opens only after its whole address was shown and confirmed", async () => {
    await using chat = await openChat({ program });
    await ask(chat, page);
    await willSay(chat, 2);
    await chat.nvim.keys("a");
    expect(await chat.nvim.lua("return { _G.prompts, _G.opened }")).toEqual([
      ["Open https://example.org/login in the browser?"],
      [],
    ]);
    expect(chat.host.of("approval/answer")).toEqual([]);
    await willSay(chat, 1);
    await chat.nvim.command("CodexChat accept");
    expect(await chat.host.heard("approval/answer")).toMatchObject({ decision: "accept" });
    expect(await chat.nvim.lua("return _G.opened")).toEqual(["https://example.org/login"]);
  });

  it("shows its keys below itself, even beside another question", async () => {
    await using chat = await openChat({ program, screen: { columns: 160, rows: 40 } });
    await ask(chat, { fields: [store] });
    await chat.edit({ op: "insert", id: "p", after: "why", lines: ["**Asks** a page"], gap: 1 });
    await chat.host.editor.call.buf_set_approval(chat.buf, {
      id: "q2",
      block: "p",
      choices: ["accept", "decline"],
      kind: "page",
      url: page.url,
    });
    await chat.nvim.untilShown(" a  open the page    d  no, because …");
    await chat.nvim.untilShown(" 1-3  pick    a  answer");
    // The heading's marks are hidden once it is painted.
    const below = () => {
      const lines = chat.nvim.screen?.lines() ?? [];
      return lines[lines.findIndex((line) => /Asks\W+a page/.test(line)) + 1];
    };
    await expect.poll(below).toContain(" a  open the page");
  });

  it("reports if there is nothing to open it with", async () => {
    await using chat = await openChat({ program });
    await ask(chat, page);
    await willSay(chat, 1);
    await chat.nvim.lua(`vim.ui.open = function() return nil, "no handler" end`);
    await chat.nvim.keys("a");
    await chat.host.heard("approval/answer");
    expect(await chat.nvim.messages()).toContain("the page was not opened: no handler");
  });
});
