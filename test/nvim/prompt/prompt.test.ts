import { describe, expect, it } from "vitest";
import { QueryEdits } from "../../../src/session/document/query-edits.ts";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const screen = { columns: 100, rows: 30 };

/** Types keys as a person does, and waits until they are worked off. */
async function typed(chat: OpenChat, keys: string): Promise<string[]> {
  await chat.nvim.keys(keys);
  await chat.nvim.lua("return 1");
  return chat.body();
}

/** Sends with <CR>; gives what the host was told. */
async function sent(chat: OpenChat): Promise<string> {
  const before = chat.host.of("turn/send").length;
  await chat.nvim.keys("<Esc><CR>");
  return (await chat.host.heard("turn/send", before + 1)).text;
}

describe.each(neovims)("the prompt's heading on Neovim $name", (program) => {
  const config = { window: { startinsert: false } };

  it.each([
    ["<BS><BS>tell me", ["tell me"]],
    ["<C-h><C-h>tell me", ["tell me"]],
    ["<C-u><C-w>tell me", ["tell me"]],
    ["one<C-u><C-u><C-u>two", ["two"]],
    ["one<CR>two<CR>three<Esc>dip:echo<CR>u", ["one", "two", "three"]],
    ["one<CR>two<Esc>dapuu<C-r><C-r>ithree", ["three"]],
    ["one<Esc>dipitwo", ["two"]],
    ["one<Esc>ciptwo", ["two"]],
    ["one<CR>two<Esc>kkJ", ["one", "two"]],
    ["one<CR>two<Esc>kkk5J", ["one two"]],
    ["one<Esc>:%s/You/Me/<CR>", ["one"]],
    ["one<Esc>:g/^## You/d<CR>", ["one"]],
    ["one<Esc>kCtwo", ["two", "one"]],
    ["one<Esc>kddp", ["one"]],
    ["one<CR>two<Esc>kkddGp", ["one", "two"]],
    ["one<CR>two<Esc>gqip", ["one two"]],
    ["one<Esc>kgUU", ["one"]],
    ["one<CR>two<Esc>kk:m$<CR>", ["one", "two"]],
    ["one<CR>two<Esc>vip:!tac<CR>", ["two", "one"]],
    ["one<Esc>kA<Del><Del>", ["ne"]],
    ["one<CR>two<Esc>0kk<C-v>jIx", ["x", "xone", "two"]],
    ["one<Esc>kOtwo<CR>three", ["two", "three", "one"]],
    ["one<CR>two<Esc>ddkP", ["two", "one"]],
    ["one<Esc>kI<BS><C-u><C-w>two", ["two", "one"]],
    ["one<Esc>kA<C-u><BS>two", ["two", "one"]],
    ["one<Esc>kkitwo", ["two", "one"]],
    ["one<Esc>?said<CR>otwo", ["two", "", "one"]],
  ])("is intact above the text after %s", async (keys, expected) => {
    await using chat = await openChat({ program, config, screen });
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["said"], gap: 1 });
    await chat.nvim.lua("vim.cmd('$') vim.cmd('redraw')");
    const body = await typed(chat, `i${keys}<Esc>`);
    expect(body.slice(-expected.length - 1)).toEqual(["## You", ...expected]);
    expect(await sent(chat)).toBe(expected.join("\n"));
    const lines = (await chat.nvim.lines(chat.buf)).filter((line) => line !== "");
    const query = expected.filter((line) => line !== "");
    expect(lines.slice(-query.length - 2)).toEqual(["## You", ...query, "## You"]);
  });

  it("is restored without an undo step", async () => {
    await using chat = await openChat({ program, config, screen });
    await typed(chat, "ione<CR>two<Esc>");
    const before = await chat.body();
    expect(await typed(chat, "kkx")).toEqual(before);
    expect(await typed(chat, "u")).not.toContain("one");
    expect(await typed(chat, "<C-r>")).toEqual(before);
  });

  it("moves above the line being typed when a frame arrives, and nowhere else", async () => {
    await using chat = await openChat({ program, config, screen });
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["said"], gap: 1 });
    await chat.nvim.keys("Gione<Esc>cipte");
    await chat.nvim.until("vim.fn.getline('.')", "te");
    await chat.edit({ op: "append", id: "a", text: "\nmore" });
    await chat.nvim.keys("ll me");
    expect(await typed(chat, "<Esc>")).toEqual(["said", "more", "", "## You", "tell me"]);
  });

  it("leaves the user's own mapping of a deleting key in effect", async () => {
    await using chat = await openChat({ program, config, screen });
    await chat.nvim.lua("vim.keymap.set('i', '<BS>', '<Del><Del>', { remap = false })");
    expect((await typed(chat, "iabcd<Home><BS><Right><BS>tell<Esc>")).slice(-2)).toEqual([
      "## You",
      "atelld",
    ]);
  });
});

describe.each(neovims)("a command that a frame interrupts, on Neovim $name,", (program) => {
  const config = { window: { startinsert: false } };

  it.each([
    ["<C-v>k0I", "x<Esc>", "xone\nxtwo"],
    ["<C-v>k$A", "x<Esc>", "onex\ntwox"],
    ["<C-v>k$", "Ax<Esc>", "onex\ntwox"],
    ["<C-v>k0c", "x<Esc>", "x\nx"],
    ["A more", "<C-u><Esc>", "one\ntwo"],
    ["Amore", "<C-w><Esc>", "one\ntwo"],
    ["A<C-r>=", "1+1<CR><Esc>", "one\ntwo2"],
    ['"', "ayykp", "one\ntwo\ntwo"],
    ["gz", "x", "one\nx"],
    ["gh", "x<Esc>", "one\ntwx"],
    [":?one?,.s/o/0", "/<CR>", "0ne\ntw0"],
    ["Ax<Esc>", "U", "one\ntwo"],
  ])("gives the same result as without a frame: %s and %s", async (first, second, expected) => {
    await using chat = await openChat({ program, config, screen });
    const { nvim } = chat;
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["said"], gap: 1 });
    // As plugins that label places do: the row is taken before the key is waited for.
    await nvim.lua(`vim.keymap.set("n", "gz", function()
      local row = vim.api.nvim_win_get_cursor(0)[1]
      vim.api.nvim_buf_set_lines(0, row - 1, row, false, { vim.fn.getcharstr() })
    end)`);
    await nvim.keys("Gione<CR>two<Esc>");
    await nvim.until("vim.fn.getline('$')", "two");
    await nvim.keys(first);
    await nvim.request("nvim_get_mode");
    const edit = { op: "append", id: "a", text: "\nmore\nand more" } as const;
    const frame = chat.host.editor.call.buf_set_edits(chat.buf, [edit]);
    if (first !== '"') await frame;
    await nvim.keys(second);
    await frame;
    await expect
      .poll(() => chat.body())
      .toEqual(["said", "more", "and more", "", "## You", ...expected.split("\n")]);
  });

  it("delays nothing else: frames appear while text is typed, selected or read", async () => {
    await using chat = await openChat({ program, config, screen });
    const { nvim } = chat;
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["said"], gap: 1 });
    for (const [n, keys] of [
      "Gione",
      "<Esc>v",
      "<Esc>V",
      "<Esc><C-v>",
      "<Esc>cwtwo",
      "<Esc>qq",
    ].entries()) {
      await nvim.keys(keys);
      await chat.edit({ op: "append", id: "a", text: ` m${n}` });
      expect((await chat.body())[0]).toContain(` m${n}`);
    }
  });

  it("gets all arrived text at once and in order when it ends, however long it took", async () => {
    await using chat = await openChat({ program, config, screen });
    const { nvim } = chat;
    await chat.edit({ op: "insert", id: "a", after: "history", lines: [""], gap: 1 });
    await nvim.keys("Gione<CR>two<Esc>0<C-v>kI");
    await nvim.until("vim.fn.mode()", "i");
    const words = Array.from({ length: 300 }, (_, n) => `m${n} `);
    for (const text of words) await chat.edit({ op: "append", id: "a", text });
    expect(await nvim.lua("return #require('codex-chat.registry').get(0).delayed")).toBe(1);
    await nvim.keys("x<Esc>");
    await expect.poll(() => chat.body()).toEqual([words.join(""), "", "## You", "xone", "xtwo"]);
  });
});

describe.each(neovims)("a queued query on Neovim $name", (program) => {
  const config = { window: { startinsert: false } };

  it("stays queued after :edit, and its edits still reach the host", async () => {
    await using chat = await openChat({ program, config, screen });
    const { nvim, host, buf } = chat;
    await chat.setState({ phase: "running" });
    await nvim.keys("<Esc>Gilater<Esc>");
    await nvim.until("vim.fn.getline('$')", "later");
    await nvim.lua(`local chat = require("codex-chat.registry").get(0)
      require("codex-chat.commands.query.send").send(chat, "queue")`);
    const { id } = await host.heard("turn/send");
    await nvim.command("edit");
    await host.heard("chat/reread");
    await chat.send("now");
    expect((await chat.body()).filter((line) => line !== "")).toEqual([
      ...["## You", "now"],
      ...["## You", "later", "## You"],
    ]);
    await nvim.keys("/later<CR>cwmuch later<Esc>");
    await expect.poll(() => host.of("query/edit").at(-1)).toEqual({ buf, id, text: "much later" });
  });

  it.each([
    ["oadd<Esc>", [{ text: "two\nadd" }], "prompt"],
    ["/^three<CR>oadd<Esc>", [{ text: "three\nadd" }], "prompt"],
    ["/^three<CR>o<CR>add<Esc>", [], "add\n\nprompt"],
    ["3J", [], "prompt"],
    ["dip", [{}], "prompt"],
    ["kkVGd", [{}, {}], ""],
    ["kkVGd¦u", [], "prompt"],
    ["3J¦u", [], "prompt"],
    ["A more<Esc>¦u", [], "prompt"],
  ])("is whatever text is there after %s", async (keys, expected, prompt) => {
    await using chat = await openChat({ program, config, screen });
    const { nvim, host } = chat;
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["said"], gap: 1 });
    const ids: string[] = [];
    const sent = ["one", "two", "three"];
    for (const text of sent) {
      await nvim.keys(`<Esc>Gi${text}<Esc>`);
      await nvim.until("vim.fn.getline('$')", text);
      await nvim.lua(`local chat = require("codex-chat.registry").get(0)
        require("codex-chat.commands.query.send").send(chat, "queue")`);
      ids.push((await host.heard("turn/send", ids.length + 1)).id);
    }
    await typed(chat, "<Esc>Giprompt<Esc>:echo<CR>?^two<CR>");
    await chat.edit();
    expect(host.of("query/edit")).toEqual([]);
    for (const part of keys.split("¦")) {
      await typed(chat, part);
      await chat.edit({ op: "append", id: "a", text: "\nmore" });
    }
    await nvim.until("#require('codex-chat.registry').get(0).delayed", 0);
    // An answer comes after what was told before it.
    await chat.edit();
    const edits = new QueryEdits();
    for (const { id, text } of host.of("query/edit")) edits.set(id, text);
    const changes = ids
      .map((id, n) => ({ sent: sent[n] ?? "", text: edits.textOf(id, sent[n] ?? "") }))
      .filter(({ sent, text }) => text !== sent)
      .map(({ text }) => (text === undefined ? {} : { text }));
    expect(changes).toEqual(expected);
    expect(
      await nvim.lua(
        "return require('codex-chat.prompt').text(require('codex-chat.registry').get(0))",
      ),
    ).toBe(prompt);
  });
});
