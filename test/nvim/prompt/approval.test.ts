import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** A conversation in which Codex asks to run a command. */
async function asked(chat: OpenChat, id = "q1"): Promise<void> {
  const user = await chat.send("go on");
  await chat.edit(
    { op: "insert", id: `${id}-heading`, after: user, lines: ["## Codex"], gap: 1 },
    { op: "insert", id, after: `${id}-heading`, lines: ["**Asks** to run `ls`"], gap: 1 },
    { op: "insert", id: `${id}-why`, after: id, lines: ["> to look"], gap: 0 },
    {
      op: "insert",
      id: `${id}-what`,
      after: `${id}-why`,
      lines: ["```console", "ls", "```"],
      gap: 0,
    },
    { op: "insert", id: `${id}-next`, after: `${id}-what`, lines: ["something else"], gap: 1 },
  );
  await chat.host.editor.call.buf_set_approval(chat.buf, {
    id,
    block: id,
    kind: "command",
    choices: ["accept", "accept_session", "decline", "cancel"],
  });
}

const goTo = (line: string) => `vim.fn.search("^${line}$", "w")`;

describe.each(neovims)("an approval on Neovim $name", (program) => {
  const screen = { columns: 180, rows: 40 };

  it("shows its keys below the request", async () => {
    await using chat = await openChat({ program, screen });
    await asked(chat);
    await chat.nvim.untilShown(
      /▌ {2}a {2}once {4}s {2}always in this chat\s[\s\S]*d {2}no, because …\s[\s\S]*c {2}no, and stop/,
    );
    const lines = chat.nvim.screen?.lines() ?? [];
    const keys = lines.findIndex((line) => line.includes(" a  once"));
    expect(lines.slice(keys - 2, keys).join("\n")).toContain("ls");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await expect.poll(() => chat.nvim.screen?.text()).not.toContain(" a  once");
  });

  it.each([
    ["a", "accept"],
    ["s", "accept_session"],
    ["c", "cancel"],
  ])("is answered by %s on any of its lines", async (key, decision) => {
    await using chat = await openChat({ program });
    await asked(chat);
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    for (const [n, line] of ["\\\\*\\\\*Asks.*", "> to look", "ls"].entries()) {
      await nvim.lua(goTo(line));
      await nvim.keys(key);
      expect(await chat.host.heard("approval/answer", n + 1)).toEqual({
        buf: chat.buf,
        id: "q1",
        decision,
      });
    }
    expect(await nvim.mode()).toBe("n");
  });

  it("is declined with a reason from the user, or stays pending if that is cancelled", async () => {
    await using chat = await openChat({ program, screen });
    await asked(chat);
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("ls"));
    await nvim.keys("d");
    await nvim.untilShown("Why not?");
    await nvim.keys("<Esc>");
    await expect.poll(() => nvim.mode()).toBe("n");
    expect(chat.host.of("approval/answer")).toEqual([]);
    await nvim.keys("d");
    await nvim.untilShown("Why not?");
    await nvim.keys("use rg<CR>");
    expect(await chat.host.heard("approval/answer")).toMatchObject({
      decision: "decline",
      reason: "use rg",
    });
    await expect.poll(() => nvim.screen?.text()).not.toContain("Why not?");
  });

  it("leaves a, s, d and c alone on other lines, with counts and operators", async () => {
    await using chat = await openChat({ program });
    await asked(chat);
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("something else"));
    await nvim.keys("0dw");
    await nvim.until("vim.fn.getline('.')", "else");
    await nvim.keys("2sXY<Esc>");
    await nvim.until("vim.fn.getline('.')", "XYse");
    await nvim.keys("0cwnew<Esc>");
    await nvim.until("vim.fn.getline('.')", "new");
    await nvim.keys("3a!<Esc>");
    await nvim.until("vim.fn.getline('.')", "new!!!");
    await nvim.keys("dd");
    await nvim.until("vim.fn.search('new!!!', 'nw')", 0);
    expect(chat.host.of("approval/answer")).toEqual([]);
  });

  it("takes keys on its lines only, and none once nothing is pending", async () => {
    await using chat = await openChat({ program });
    await asked(chat);
    const { nvim } = chat;
    const map = "vim.fn.maparg('a', 'n') ~= ''";
    await nvim.keys("<Esc>");
    await nvim.until(map, false);
    await nvim.lua(goTo("ls"));
    await nvim.until(map, true);
    await nvim.lua(goTo("something else"));
    await nvim.until(map, false);
    await nvim.lua(goTo("ls"));
    await nvim.until(map, true);
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    expect(await nvim.lua(`return ${map}`)).toBe(false);
  });

  it("leaves every other line to the user's own mappings, in every mode", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    // As flash.nvim, mini.surround, mini.ai and which-key map.
    await nvim.lua(
      `
      did = {}
      local function note(name, opts)
        return function()
          did[#did + 1] = ("%s %d %s"):format(name, vim.v.count, vim.v.register)
          return opts and opts.expr and "" or nil
        end
      end
      vim.keymap.set({ "n", "x", "o" }, "s", note("jump"))
      vim.keymap.set("n", "da", note("surround"))
      vim.keymap.set("n", "c", note("expr", { expr = true }), { expr = true })
      vim.keymap.set({ "x", "o" }, "a", note("object"))
      vim.keymap.set("n", "a", "<Plug>(mine)", { buffer = ..., remap = true, nowait = true })
      vim.keymap.set("n", "<Plug>(mine)", note("plug"))
    `,
      chat.buf,
    );
    await asked(chat);
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("something else"));
    for (const [n, keys] of ['"q2s', "3da", "c", "4a", "va", "ya", "vs", "ds"].entries()) {
      await nvim.keys(keys);
      await nvim.until("#did", n + 1);
      await nvim.keys("<Esc>");
      await nvim.until("vim.fn.mode(1)", "n");
    }
    expect(await nvim.lua("return did")).toEqual([
      "jump 2 q",
      'surround 3 "',
      'expr 0 "',
      'plug 4 "',
      'object 0 "',
      'object 0 "',
      'jump 0 "',
      'jump 0 "',
    ]);
    // On its own lines they answer; without an event, as in a :normal, they do not where it is left.
    await nvim.lua(goTo("ls"));
    await nvim.until(
      "vim.fn.maparg('s', 'n'):find('jump') == nil and vim.fn.maparg('a', 'n', false, true).desc",
      "codex-chat: accept, on what is asked",
    );
    await nvim.command(`normal G2s`);
    expect(await nvim.lua("return did[#did]")).toBe('jump 2 "');
    expect(chat.host.of("approval/answer")).toEqual([]);
  });

  it.each([
    ["the cursor leaves", goTo("something else")],
    ["another window gets the focus", "vim.cmd('wincmd p')"],
    ["it is answered", "require('codex-chat.approval').set(chat, { id = 'q1', remove = true })"],
    [
      "one of two is answered",
      "require('codex-chat.approval').set(chat, { id = 'q1', remove = true }) require('codex-chat.approval').set(chat, { id = 'q2', remove = true })",
    ],
    [
      "the host is gone",
      "vim.fn.jobstop(require('codex-chat.host').pid and vim.api.nvim_list_chans()[#vim.api.nvim_list_chans()].id)",
    ],
  ])("restores the buffer's mappings when %s", async (name, act) => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.lua(
      `
      vim.keymap.set({ "n", "x" }, "a", function() return "x" end,
        { buffer = ..., expr = true, nowait = true, silent = true, desc = "mine" })
      vim.cmd([[nmap <buffer> <silent> s :let g:s = 1<CR>]])
      chat = require("codex-chat.registry").get(...)
      function mapped()
        return vim.api.nvim_buf_call(chat.buf, function()
          local function all(mode)
            return vim.tbl_map(function(key)
              return vim.fn.maparg(key, mode, false, true)
            end, { "a", "s", "d", "c" })
          end
          return { all("n"), all("x") }
        end)
      end
      before = mapped()
    `,
      chat.buf,
    );
    await asked(chat);
    if (name.startsWith("one of two")) await asked(chat, "q2");
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("ls"));
    await nvim.until(
      "vim.fn.maparg('a', 'n', false, true).desc",
      "codex-chat: accept, on what is asked",
    );
    expect(await nvim.lua("return vim.deep_equal(before, mapped())")).toBe(false);
    await nvim.lua(act);
    await nvim.until("vim.deep_equal(before, mapped())");
  });

  it("keeps what the user maps or unmaps while it is pending", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.lua("vim.keymap.set('n', 'd', 'x', { buffer = ... })", chat.buf);
    await asked(chat);
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("ls"));
    await nvim.until(
      "vim.fn.maparg('a', 'n', false, true).desc",
      "codex-chat: accept, on what is asked",
    );
    await nvim.command("nnoremap <buffer> a :let g:mine = 1<CR>");
    await nvim.command("nunmap <buffer> d");
    await nvim.keys("a");
    await nvim.until("vim.g.mine", 1);
    // Gone to again, it answers.
    await nvim.lua(goTo("something else"));
    await nvim.until("vim.fn.maparg('s', 'n')", "");
    expect(await nvim.lua("return vim.fn.maparg('a', 'n')")).toBe(":let g:mine = 1<CR>");
    expect(await nvim.lua("return vim.fn.maparg('d', 'n')")).toBe("");
    await nvim.lua(goTo("ls"));
    await nvim.until("vim.fn.maparg('s', 'n') ~= ''");
    await nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).decision).toBe("accept");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    expect(await nvim.lua("return vim.fn.maparg('a', 'n')")).toBe(":let g:mine = 1<CR>");
  });

  it("ends without an error when its buffer is wiped", async () => {
    await using chat = await openChat({ program });
    await asked(chat);
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.lua(goTo("ls"));
    await nvim.until("vim.fn.maparg('a', 'n') ~= ''");
    await nvim.command("bwipeout!");
    expect(await nvim.lua("return vim.v.errmsg")).toBe("");
    expect(await nvim.lua("return vim.fn.maparg('a', 'n')")).toBe("");
  });

  it("is answered by commands from anywhere, the oldest first", async () => {
    await using chat = await openChat({ program });
    await asked(chat, "q1");
    await asked(chat, "q2");
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p");
    await nvim.command("CodexChat accept");
    expect((await chat.host.heard("approval/answer")).id).toBe("q1");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await nvim.command("CodexChat decline it is too wide");
    expect(await chat.host.heard("approval/answer", 2)).toMatchObject({
      id: "q2",
      decision: "decline",
      reason: "it is too wide",
    });
  });

  it("lets the cursor go on to the next one, and back when none is left", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await asked(chat);
    await asked(chat, "q2");
    const over = (id: string) => host.editor.call.buf_set_approval(chat.buf, { id, remove: true });
    const line = async () => (await nvim.lines())[(await nvim.cursor())[0] - 1];
    await nvim.keys("typed<Esc>]a");
    const first = (await nvim.cursor())[0];
    await nvim.keys("j");
    await chat.edit(
      { op: "replace", id: "q1-what", lines: ["```console output", "$ ls", "```"] },
      // The host says so before it says that the question is over.
      { op: "fold", from: "q1-what", to: "q1-what" },
      { op: "replace", id: "q1", lines: ["**Running** `ls`"] },
    );
    await over("q1");
    expect(await line()).toContain("**Asks**");
    expect(await nvim.lua(`return vim.fn.foldclosed(${first})`)).toBe(first);
    expect((await nvim.cursor())[0]).not.toBe(first);
    await over("q2");
    expect(await line()).toBe("typed");
    // Whoever has gone elsewhere stays there.
    await asked(chat, "q3");
    await nvim.keys("]agg");
    await over("q3");
    expect((await nvim.cursor())[0]).toBe(1);
  });

  it("is reached with ]a and [a", async () => {
    await using chat = await openChat({ program });
    await asked(chat, "q1");
    await asked(chat, "q2");
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    const rows: number[] = [];
    for (const key of ["[a", "[a", "]a", "]a"]) {
      await nvim.type(key);
      rows.push((await nvim.cursor())[0]);
      expect(await nvim.lua("return vim.fn.getline('.')")).toContain("**Asks**");
    }
    expect(rows[0]).toBe(rows[2]);
    expect(rows[1]).toBe(rows[3]);
    // In one go with the answer, as by a mapping of the user's.
    await nvim.command("normal gg]as");
    expect(await chat.host.heard("approval/answer")).toMatchObject({ decision: "accept_session" });
    expect(rows[0]).toBeGreaterThan(rows[1] ?? 0);
  });

  it("is announced if the chat is out of view, without moving the focus", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("CodexChat toggle");
    const win = await nvim.lua("return vim.api.nvim_get_current_win()");
    await asked(chat);
    await chat.host.editor.call.event_emit("ApprovalRequested", {
      buf: chat.buf,
      id: "q1",
      title: "Codex asks to run: ls",
    });
    expect(await nvim.messages()).toContain("Codex asks to run: ls");
    expect(await nvim.lua("return vim.api.nvim_get_current_win()")).toBe(win);
    // It survives being hidden and shown.
    await nvim.command("CodexChat toggle");
    await nvim.keys("<Esc>");
    await expect.poll(() => nvim.mode()).toBe("n");
    await nvim.lua(goTo("ls"));
    await nvim.keys("a");
    expect((await chat.host.heard("approval/answer")).decision).toBe("accept");
  });

  it("offers only the answers that are possible", async () => {
    await using chat = await openChat({ program });
    await asked(chat);
    await chat.host.editor.call.buf_set_approval(chat.buf, {
      id: "q1",
      block: "q1",
      kind: "patch",
      choices: ["accept", "decline"],
    });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("CodexChat accept-session");
    expect(await nvim.messages()).toContain("cannot be answered with accept for this chat");
    expect(chat.host.of("approval/answer")).toEqual([]);
  });

  it("is shown as a whole by ]a, with its keys", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 24 } });
    const { nvim } = chat;
    await nvim.command("set scrolloff=5");
    const text = (name: string) => Array.from({ length: 40 }, (_, n) => `${name} ${n}`);
    await chat.edit({ op: "insert", id: "top", after: "history", lines: text("above"), gap: 1 });
    await asked(chat);
    const code = ["```console", ...text("part").slice(0, 10), "```"];
    await chat.edit({ op: "replace", id: "q1-what", lines: code });
    await chat.edit({ op: "insert", id: "end", after: "history", lines: text("below"), gap: 1 });
    const box = /Asks to run ls[\s\S]*to look[\s\S]* a {2}once[\s\S]* c {2}no, and stop/;
    await nvim.type("<Esc>gg]a");
    await nvim.untilShown(box);
    await nvim.keys("a");
    expect(await chat.host.heard("approval/answer")).toMatchObject({ decision: "accept" });
    // From below, and where it is in view nothing scrolls.
    await nvim.type("G[a");
    await nvim.untilShown(box);
    const top = await nvim.lua("return vim.fn.line('w0')");
    await nvim.type("]a");
    expect(await nvim.lua("return vim.fn.line('w0')")).toBe(top);
  });

  it("says how much of it the window cannot show, and is not accepted by a key before its end was seen", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 24 } });
    const { nvim, host } = chat;
    await asked(chat);
    const long = Array.from({ length: 40 }, (_, n) => `part ${n}`);
    await chat.edit({ op: "replace", id: "q1-what", lines: ["```console", ...long, "```"] });
    await chat.edit({ op: "insert", id: "end", after: "history", lines: long, gap: 1 });
    await nvim.type("<Esc>gg]a");
    await nvim.untilShown(/Asks to run ls[^\n]*\n[^\n]*▌ \d+ more lines than the window shows/);
    await nvim.keys("a");
    await nvim.untilShown(/lines of this question are below the window/);
    await nvim.keys("s");
    expect(host.of("approval/answer")).toEqual([]);
    await nvim.type("/part 39<CR>");
    await nvim.untilShown(" a  once");
    await nvim.type("gg]a");
    await nvim.keys("a");
    expect(await host.heard("approval/answer")).toMatchObject({ decision: "accept" });
    expect(host.of("approval/answer")).toHaveLength(1);
    await host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await expect.poll(() => nvim.screen?.text()).not.toContain("more lines than");
  });
});
