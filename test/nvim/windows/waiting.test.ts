/** That a question waits is seen wherever the user looks, and what comes by itself does not interrupt. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";

const screen = { columns: 80, rows: 24 };
const LINE = ":CodexChat question";

/** A question stands in the conversation, and the user is told of it. */
async function ask(chat: OpenChat, id = "q1", title = "Codex asks to run: ls"): Promise<void> {
  const after = (await chat.body()).some((line) => line.includes("Asks")) ? "history" : "prompt";
  await chat.edit({ op: "insert", id, after, lines: ["**Asks** to run `ls`"], gap: 1 });
  await chat.host.editor.call.buf_set_approval(chat.buf, { id, block: id, kind: "command" });
  await chat.host.editor.call.event_emit("ApprovalRequested", { buf: chat.buf, id, title });
}

const answered = (chat: OpenChat, id = "q1") =>
  chat.host.editor.call.buf_set_approval(chat.buf, { id, remove: true });

describe.each(neovims)("a pending question, on Neovim $name,", (program) => {
  it.each([
    ["with the defaults", ""],
    ["without a command line", "set cmdheight=0"],
    ["without showmode", "set noshowmode"],
    [
      "with the user's own tabline and statusline",
      "set showtabline=2 tabline=MINE statusline=LINE laststatus=3",
    ],
  ])("is always on the screen, from another tabpage in insert mode, %s", async (_name, set) => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p | hide tabnew code.lua");
    if (set !== "") await nvim.command(set);
    await nvim.keys("i-- code");
    await nvim.untilShown("-- code");
    const options =
      "{ vim.o.tabline, vim.o.statusline, vim.wo.winbar, vim.o.showmode, vim.o.cmdheight, vim.o.eventignore }";
    const before = await nvim.lua(`
      heard = {}
      vim.api.nvim_create_autocmd({ "WinNew", "WinEnter", "WinLeave", "WinClosed", "BufEnter", "BufNew", "BufAdd", "OptionSet" }, {
        callback = function(args)
          -- The text of the conversation is written with 'modifiable' set.
          if not args.match:find("^modifi") then heard[#heard + 1] = args.event .. args.match end
        end,
      })
      return ${options}`);
    await ask(chat);
    // Its title comes a moment after the question.
    await nvim.untilShown(`Codex asks to run: ls · ${LINE}`);
    for (let look = 0; look < 20; look += 1) {
      await nvim.keys("x");
      await nvim.until("vim.fn.getline('.')", `-- code${"x".repeat(look + 1)}`);
      await nvim.untilShown(`-- code${"x".repeat(look + 1)}`);
      expect(nvim.screen?.text()).toContain(`Codex asks to run: ls · ${LINE}`);
    }
    expect(await nvim.mode()).toBe("i");
    expect(await nvim.lua(`return ${options}`)).toEqual(before);
    if (set.includes("MINE")) {
      expect(nvim.screen?.lines()[0]).toBe("MINE");
      expect(nvim.screen?.lines().at(-2)).toBe("LINE");
    }
    await answered(chat);
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
    expect(await nvim.lua("return { heard, #vim.api.nvim_list_wins() }")).toEqual([[], 3]);
  });

  it("is shown in each tabpage, except where its own lines are visible", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await chat.edit({
      op: "insert",
      id: "long",
      after: "history",
      lines: Array(60).fill("text"),
      gap: 1,
    });
    await ask(chat);
    await nvim.untilShown("**Asks**");
    expect(nvim.screen?.text()).not.toContain(LINE);
    await nvim.keys("gg");
    await nvim.untilShown(LINE);
    await nvim.keys("G");
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
    await nvim.command("tabnew");
    await nvim.untilShown(LINE);
    await nvim.command("tabnew");
    await nvim.untilShown(LINE);
    // What the user closes comes back: it is not answered.
    await nvim.command("vsplit | only");
    await nvim.untilShown(LINE);
    await nvim.command("CodexChat toggle");
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
    await nvim.command("CodexChat toggle");
    await nvim.untilShown(LINE);
    await nvim.command("quit | quit");
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
  });

  it("is shown above a full-screen window of the user, and below a smaller one", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p | hide tabnew");
    await ask(chat);
    await nvim.untilShown(LINE);
    const open =
      "vim.api.nvim_open_win(vim.api.nvim_create_buf(false, true), ..., { relative = 'editor', row = 0, col = 0, width = 80, height = 22, zindex = 60 })";
    const other = await nvim.lua(`return ${open}`, false);
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
    await nvim.lua("vim.api.nvim_win_close(...)", other, true);
    await nvim.untilShown(LINE);
    await nvim.lua(open, true);
    await nvim.command("terminal cat");
    await nvim.keys("itext");
    await nvim.untilShown("text");
    await nvim.untilShown(LINE);
  });

  it("leaves the cursor's place free, and fits a narrow screen", async () => {
    await using chat = await openChat({ program, screen: { columns: 40, rows: 12 } });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("tabnew");
    await nvim.command(`call setline(1, ["${"a".repeat(38)}", "", ""])`);
    await ask(chat, "q1", `Codex asks to run: ${"漢字 long ".repeat(20)}\u001b[31m`);
    for (const [keys, row] of [
      ["G", 1],
      ["gg", 2],
      ["j", 1],
      ["k$", 2],
    ] as const) {
      await nvim.keys(keys);
      await expect
        .poll(() => nvim.screen?.lines().findIndex((line) => line.includes(LINE)))
        .toBe(row);
    }
    expect(nvim.screen?.lines()[2]).toMatch(/ Codex asks.*… · :CodexChat question$/);
  });

  it("is reached by the command that it names, one after the other, from another project", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await ask(chat, "q1");
    await ask(chat, "q2", "Codex asks to edit files");
    await nvim.command(`hide | lcd ${nvim.home}`);
    await nvim.untilShown(/2 questions wait\. Codex.*… · :CodexChat question/);
    expect(
      await nvim.lua(
        "local c = require('codex-chat'); return { c.statusline(), c.chats()[1].waiting }",
      ),
    ).toEqual(["codex 2 questions elsewhere", 2]);
    await nvim.command("CodexChat question");
    expect(await nvim.buf()).toBe(chat.buf);
    const first = (await nvim.cursor())[0];
    expect(await nvim.lua("return vim.fn.getline('.')")).toContain("**Asks**");
    await nvim.command("CodexChat question");
    expect(await nvim.lua("return vim.fn.getline('.')")).toContain("**Asks**");
    expect((await nvim.cursor())[0]).not.toBe(first);
    await answered(chat, "q1");
    await answered(chat, "q2");
    await nvim.command("tabnew");
    await nvim.command("CodexChat question");
    expect(await nvim.messages()).toContain("no question is waiting for an answer");
  });

  it("is not shown in a line if configured so", async () => {
    await using chat = await openChat({ program, screen, config: { notify: { waiting: false } } });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("tabnew");
    await ask(chat);
    await nvim.keys("ihello");
    await nvim.untilShown("hello");
    expect(nvim.screen?.text()).not.toContain(LINE);
  });

  it("disappears with the host and with its buffer", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("tabnew");
    await ask(chat);
    await nvim.untilShown(LINE);
    await nvim.command(`bwipeout! ${chat.buf}`);
    await expect.poll(() => nvim.screen?.text()).not.toContain(LINE);
    expect(await nvim.lua("return vim.v.errmsg")).toBe("");
  });
});

describe.each(neovims)("an unprompted message, on Neovim $name,", (program) => {
  const long = `The host ended with exit code 137.\n\tIts log is ${"/a/path".repeat(30)}. Send again.`;

  it.each([
    ["with the defaults", ""],
    ["without a command line", "set cmdheight=0"],
    ["with two rows for messages", "set cmdheight=2"],
    ["with the ruler and keys in the last row", "set laststatus=0 ruler showcmd"],
  ])("never waits for a key, and is complete in :messages, %s", async (_name, set) => {
    await using nvim = await startNeovim({ program, screen });
    if (set !== "") await nvim.command(set);
    await nvim.lua("say, long = require('codex-chat.message'), ...", long);
    for (const level of ["info", "warn", "error"]) {
      for (const [text, burst] of [
        ["long", 1],
        ["long", 5],
        ["('漢字 '):rep(100)", 2],
        ["('x'):rep(67) .. '漢'", 1],
        ["'a\\tb\\nc'", 3],
      ] as const) {
        await nvim.lua(
          `vim.schedule(function() for _ = 1, ${burst} do say.${level}(${text}) end done = true end)`,
        );
        await nvim.until("done");
        expect((await nvim.request("nvim_get_mode")) as object).toEqual({
          mode: "n",
          blocking: false,
        });
        await nvim.lua("done = false");
      }
    }
    await nvim.untilShown("codex-chat: a b c");
    await nvim.lua("vim.schedule(function() say.warn(long) end)");
    await nvim.untilShown(/codex-chat: The host ended with/);
    expect(nvim.screen?.lines().join("")).toMatch(
      /codex-chat: The host ended with .*… \(:messages\)/,
    );
    const messages = (await nvim.messages()).replaceAll("\n", "");
    expect(messages).toContain(
      `codex-chat: The host ended with exit code 137. Its log is ${"/a/path".repeat(30)}. Send again.`,
    );
    // While a plugin waits for a character, it gets the next one.
    await nvim.command("nnoremap Q <Cmd>lua got = vim.fn.getcharstr()<CR>");
    await nvim.keys("Q");
    await nvim.lua(
      "vim.schedule(function() for _ = 1, 20 do say.error(long) say.warn('last') end done = true end)",
    );
    await nvim.until("done");
    await nvim.keys("z");
    await nvim.until("got", "z");
    expect((await nvim.request("nvim_get_mode")) as object).toEqual({ mode: "n", blocking: false });
    await nvim.untilShown("codex-chat: last");
  });

  it("goes uncut to the user's own vim.notify", async () => {
    await using nvim = await startNeovim({ program, screen });
    await nvim.lua(
      "vim.notify = function(...) got = { ... } end; require('codex-chat.message').warn(..., '. :CodexChat shows it')",
      `${long}\u001b[31m`,
    );
    expect(await nvim.lua("return { got[1], got[2], got[3].title }")).toEqual([
      `codex-chat: ${long} [31m. :CodexChat shows it`,
      3,
      "codex-chat",
    ]);
  });

  it("keeps its advice when it is cut", async () => {
    await using nvim = await startNeovim({ program, screen });
    await nvim.lua(
      "vim.schedule(function() require('codex-chat.message').warn(('x'):rep(300), '. :CodexChat question goes there') end)",
    );
    await nvim.untilShown(/codex-chat: x+…\. :CodexChat question goes there/);
  });

  it("may wait for a key if it answers a command that was just given", async () => {
    await using nvim = await startNeovim({ program, screen });
    await nvim.keys(`:CodexChat ${"x".repeat(300)}<CR>`);
    await nvim.untilShown("there is no `:CodexChat xxx");
    // The end, wherever the line breaks.
    await expect
      .poll(() => nvim.screen?.text().replace(/\n */g, ""))
      .toMatch(/lists the ?commands\./);
    await nvim.keys("<CR>");
    await expect.poll(() => nvim.mode()).toBe("n");
  });
});

it("only one module shows messages", () => {
  const lua = join(repository, "lua");
  const others = readdirSync(lua, { recursive: true, encoding: "utf8" }).filter(
    (path) =>
      path.endsWith(".lua") &&
      path !== "codex-chat/message.lua" &&
      /vim\.notify|nvim_echo|nvim_err_write|nvim_out_write|\bprint\(|\becho(m|msg|err)?\b *['"]/.test(
        readFileSync(join(lua, path), "utf8").replace(/--.*$/gm, ""),
      ),
  );
  expect(others).toEqual([]);
});
