import { utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type NeovimProgram, neovims } from "../../support/neovim.ts";

/** A chat with two queries, an answer to each, and code in them. */
async function read(program: NeovimProgram): Promise<OpenChat> {
  const chat = await openChat({
    program,
    screen: { columns: 120, rows: 40 },
    config: { window: { startinsert: false } },
  });
  const first = await chat.send("first question\nand more\n```\nnever closed");
  const one = [
    "## Codex",
    "",
    "The first answer.",
    "",
    "```md",
    "## You",
    "## Codex",
    "",
    "```",
    "",
    "  ~~~lua",
    "  local a = 1",
    "    local b",
    "  ~~~",
  ];
  await chat.edit({ op: "insert", id: "a", after: first, lines: one, gap: 1 });
  const second = await chat.send("second question");
  const two = ["## Codex", "", "The second answer.", "", "```sh", "echo open"];
  await chat.edit({ op: "insert", id: "b", after: second, lines: two, gap: 1 });
  return chat;
}

/** The text of the cursor's line. */
const LINE = "return vim.fn.getline('.')";

const goTo = (chat: OpenChat, text: string) =>
  chat.nvim.lua("vim.fn.search('\\\\V' .. ..., 'w')", text);

describe.each(neovims)("a conversation's own keys on Neovim $name", (program) => {
  it("]] and [[ go from query to query, and to none that code only shows", async () => {
    await using chat = await read(program);
    const { nvim } = chat;
    const where = async () => [
      await nvim.lua(LINE),
      await nvim.lua("return vim.fn.getline(vim.fn.line('.') + 2)"),
    ];
    await nvim.type("gg]]");
    expect(await where()).toEqual(
      ["## You", "and more"].with(1, await nvim.lua("return vim.fn.getline(vim.fn.line('.') + 2)")),
    );
    const rows: number[] = [(await nvim.cursor())[0]];
    await nvim.type("]]");
    rows.push((await nvim.cursor())[0]);
    await nvim.type("]]");
    rows.push((await nvim.cursor())[0]);
    const lines = await nvim.lines();
    const below = rows.map((row) => lines.slice(row).find((line) => line !== "") ?? "");
    expect(below).toEqual(["first question", "second question", ""]);
    await nvim.type("]]");
    expect((await nvim.cursor())[0]).toBe(rows[2]);
    await nvim.type("2[[");
    expect((await nvim.cursor())[0]).toBe(rows[0]);
    await nvim.type("<C-o>");
    expect((await nvim.cursor())[0]).toBe(rows[2]);
    // By a key of the user's.
    await nvim.command("nmap <Leader>p <Plug>(codex-chat-prev-turn)");
    await nvim.type("\\p");
    expect((await nvim.cursor())[0]).toBe(rows[1]);
    // As a motion of an operator.
    await goTo(chat, "second answer");
    await nvim.type('"ay[[');
    expect(await nvim.lua("return vim.fn.getreg('a')")).toMatch(/^## You\n+second question\n/);
  });

  it("gO lists queries and answers, goes to one, and is closed by q", async () => {
    await using chat = await read(program);
    const { nvim } = chat;
    await goTo(chat, "second question");
    await nvim.type("gO");
    expect(await nvim.lua("return vim.bo.buftype")).toBe("quickfix");
    expect(await nvim.lines()).toEqual([
      "first question",
      "    The first answer.",
      "second question",
      "    The second answer.",
    ]);
    expect((await nvim.cursor())[0]).toBe(3);
    await nvim.type("2G<CR>");
    expect(await nvim.buf()).toBe(chat.buf);
    expect(await nvim.lua("return vim.fn.getline(vim.fn.line('.') + 2)")).toBe("The first answer.");
    await nvim.type("gOq");
    expect(await nvim.buf()).toBe(chat.buf);
    await nvim.command("lclose");
    expect(await nvim.lua("return #vim.api.nvim_tabpage_list_wins(0)")).toBe(2);
  });

  it("gO shows the words of an answer that begins with calls", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const block = (id: string, after: string, lines: string[]) =>
      ({ op: "insert", id, after, lines, gap: 1 }) as const;
    const first = await chat.send("one");
    await chat.edit(
      block("h", first, ["## Codex"]),
      block("t", "h", ["> **Thought** · looking around"]),
      block("c", "t", ["**Ran** `ls` · exit 0", "```console output", "a file", "```"]),
      block("a", "c", ["It has **one** `file`."]),
    );
    const second = await chat.send("two");
    await chat.edit(block("i", second, ["## Codex"]), block("d", "i", ["**Ran** `rm` · exit 0"]));
    await nvim.keys("<Esc>");
    await nvim.type("gO");
    expect(await nvim.lines()).toEqual([
      "one",
      "    It has one file.",
      "two",
      "    Ran rm · exit 0",
    ]);
  });

  it("gy yanks the code block under the cursor without its fences", async () => {
    await using chat = await read(program);
    const { nvim } = chat;
    const reg = (name: string) => nvim.lua("return vim.fn.getreg(...)", name);
    await goTo(chat, "local b");
    await nvim.type("gy");
    expect(await reg('"')).toBe("local a = 1\n  local b\n");
    expect(await nvim.lua("return vim.fn.getregtype('\"')")).toBe("V");
    await expect.poll(() => nvim.messages()).toContain("2 lines of code yanked.");
    // From its fence, a given register, and a block that the answer has not closed.
    await goTo(chat, "```sh");
    await nvim.type('"bgy');
    expect([await reg("b"), await reg('"')]).toEqual(["echo open\n", "echo open\n"]);
    await goTo(chat, "```md");
    await nvim.type("gy");
    expect(await reg('"')).toBe("## You\n## Codex\n\n");
    expect(await reg("b")).toBe("echo open\n");
    await goTo(chat, "The second answer");
    await nvim.type("gy");
    await expect.poll(() => nvim.messages()).toContain("there is no code block under the cursor");
    expect(await reg('"')).toBe("## You\n## Codex\n\n");
  });

  it("<Up> and <Down> in an empty prompt recall the project's queries, and never overwrite one", async () => {
    await using chat = await read(program);
    const { nvim } = chat;
    const prompt = async () =>
      (await chat.body()).slice((await chat.body()).lastIndexOf("## You") + 1).join("\n");
    // Another conversation of the project, with a query of its own and the same one.
    await chat.send("third question");
    // One that is not open.
    const closed = join(dirname(chat.path), "closed.md");
    const text = "## You\n\nfrom a file\n\n> **Context:** a.lua\n\n## Codex\n\nan answer\n";
    await writeFile(closed, `---\ncodex-chat: 1\n---\n\n${text}\n## You\n\nnot sent\n`);
    await utimes(closed, 1, 1);
    await nvim.command("CodexChat new");
    const { buf } = await chat.host.heard("chat/open", 2);
    const own = async () => {
      const lines = await nvim.lines(buf);
      return lines.slice(lines.lastIndexOf("## You") + 1).join("\n");
    };
    await nvim.lua(
      "vim.api.nvim_buf_set_lines(..., -2, -1, false, { 'fourth', 'in two lines' });" +
        "require('codex-chat.commands.query.send').send(require('codex-chat.registry').get(...))",
      buf,
    );
    await chat.host.heard("turn/send", 4);
    // Where there is no later query the key does what it does elsewhere.
    await nvim.keys("A<C-n>");
    await nvim.until("vim.fn.complete_info({ 'mode' }).mode", "keyword");
    await nvim.keys("<C-e><C-u>");
    await expect.poll(own).toBe("");
    await nvim.keys("<Up>");
    await expect.poll(own).toBe("fourth\nin two lines");
    await nvim.keys("<C-p>");
    await expect.poll(own).toBe("third question");
    await nvim.keys("<Up><Up>");
    await expect.poll(own).toBe("first question\nand more\n```\nnever closed");
    await nvim.keys("<Up>");
    await expect.poll(own).toBe("from a file");
    // This is the earliest one.
    await nvim.keys("<Up><Down>");
    await expect.poll(own).toMatch(/^first question/);
    await nvim.keys("<Down><C-n>");
    await expect.poll(own).toBe("third question");
    await nvim.keys("<Down><Down>");
    await expect.poll(own).toBe("");
    // What was edited is kept, and the key moves the cursor as anywhere.
    await nvim.keys("<Up>!<Up>");
    await expect.poll(own).toBe("fourth\nin two lines!");
    await nvim.until("vim.fn.getline('.')", "fourth");
    await nvim.keys("<Down><Down>");
    await expect.poll(own).toBe("fourth\nin two lines!");
    await nvim.keys("<Esc>u");
    await expect.poll(own).toBe("");
    expect(await prompt()).toBe("");
    // A menu, which opens for the end of the sixth, has its keys.
    await nvim.lua(
      "vim.api.nvim_buf_set_lines(..., -2, -1, false, { 'sixth', '/re' })" +
        "local send = require('codex-chat.commands.query.send').send" +
        " send(require('codex-chat.registry').get(...))" +
        "vim.api.nvim_buf_set_lines(..., -2, -1, false, { '//seventh' })" +
        "send(require('codex-chat.registry').get(...))",
      buf,
    );
    // The last was typed with two slashes, and would be a command with one.
    await nvim.keys("A<Up>");
    await expect.poll(own).toBe("//seventh");
    await nvim.keys("<Up>");
    await nvim.until("vim.fn.pumvisible()", 1);
    expect(await own()).toBe("sixth\n/re");
    await nvim.keys("<Down><Down>");
    await nvim.until("vim.fn.complete_info({ 'selected' }).selected", 1);
    expect(await own()).toBe("sixth\n/re");
  });
});
