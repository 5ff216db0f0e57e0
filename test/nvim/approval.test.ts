import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../support/chat.ts";
import { neovims } from "../support/neovim.ts";

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
  const screen = { columns: 160, rows: 40 };

  it("shows its keys below what is asked for", async () => {
    await using chat = await openChat({ program, screen });
    await asked(chat);
    await chat.nvim.untilShown(
      "a accept   s accept for this session   d decline   c decline and stop",
    );
    const lines = chat.nvim.screen?.lines() ?? [];
    const keys = lines.findIndex((line) => line.includes("a accept"));
    expect(lines[keys - 1]).toContain("```");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await expect.poll(() => chat.nvim.screen?.text()).not.toContain("a accept");
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

  it("is declined with a reason that is asked for, or kept when that is given up", async () => {
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

  it("takes no key at all once nothing is pending", async () => {
    await using chat = await openChat({ program });
    await asked(chat);
    const map = "return vim.fn.maparg('a', 'n') ~= ''";
    expect(await chat.nvim.lua(map)).toBe(true);
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    expect(await chat.nvim.lua(map)).toBe(false);
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

  it("is gone to by ]a and [a", async () => {
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
    expect(rows[0]).toBeGreaterThan(rows[1] ?? 0);
  });

  it("says so where the chat is out of view, and moves no focus", async () => {
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

  it("offers only what can be answered", async () => {
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
    expect(await nvim.messages()).toContain("cannot be answered with accept for this session");
    expect(chat.host.of("approval/answer")).toEqual([]);
  });
});
