import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { choose, conversation, projectAt, put, said } from "../../support/conversations.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("searching conversations on Neovim $name", (program) => {
  async function opened() {
    const chat = await openChat({ program, config: { window: { startinsert: false } } });
    const dir = dirname(chat.path);
    const project = chat.nvim.cwd;
    return {
      chat,
      dir,
      project,
      /** Entries of the quickfix list that the search makes, as `file:line:column: text`. */
      async search(text: string, bang = ""): Promise<string[]> {
        await chat.nvim.lua("vim.fn.setqflist({}, 'r', { title = 'before', items = {} })");
        await chat.nvim.command(`CodexChat${bang} search ${text}`);
        await chat.nvim.until("vim.startswith(vim.fn.getqflist({ title = 0 }).title, 'Conv')");
        return Object.values(
          await chat.nvim.lua<string[]>(
            `return vim.tbl_map(function(it)
               local name = vim.fs.basename(vim.api.nvim_buf_get_name(it.bufnr))
               return ("%s:%d:%d: %s"):format(name, it.lnum, it.col, it.text)
             end, vim.fn.getqflist())`,
          ),
        );
      },
    };
  }

  it("lists file, line and text, newest first, including archived conversations", async () => {
    const { chat, dir, project, search } = await opened();
    await using _chat = chat;
    await put(dir, "a.md", conversation({ project, query: "Where?", turns: 2, name: "needle" }), 5);
    await put(dir, "b.md", ["No front matter, a NEEDLE", "\u001b[31mred needle"], 9);
    await put(join(dir, "archive"), "c.md", ["a needle in the archive"], 1);
    expect(await search("needle")).toEqual([
      "c.md:1:3: a needle in the archive",
      "a.md:14:18: An answer with a Needle.",
      "a.md:22:18: An answer with a Needle.",
      "b.md:1:20: No front matter, a NEEDLE",
      "b.md:2:10:  [31mred needle",
    ]);
    expect(await chat.nvim.lua("return vim.bo.buftype")).toBe("quickfix");
    expect((await search("Needle")).length).toBe(2);
    expect(await search("[31m")).toEqual(["b.md:2:2:  [31mred needle"]);
    expect(await search("NEEDLE")).toEqual(["b.md:1:20: No front matter, a NEEDLE"]);
    await chat.nvim.command("cfirst");
    expect(await chat.nvim.lua("return vim.fs.basename(vim.api.nvim_buf_get_name(0))")).toBe(
      "b.md",
    );
  });

  it("handles the case of letters beyond ASCII", async () => {
    const { chat, dir, search } = await opened();
    await using _chat = chat;
    await put(dir, "a.md", ["ÜBERALL", "Überall", "überall", "uberall", "日本語 Ünï"]);
    expect((await search("überall")).map((line) => line.split(": ")[1])).toEqual([
      "ÜBERALL",
      "Überall",
      "überall",
    ]);
    expect((await search("Überall")).length).toBe(1);
    expect(await search("本語 ünï")).toEqual(["a.md:5:4: 日本語 Ünï"]);
  });

  it("takes the text literally, and cuts long lines at whole characters", async () => {
    const { chat, dir, search } = await opened();
    await using _chat = chat;
    await put(dir, "a.md", ['a.*b [x] %d | "y" \\z', `${"é".repeat(500)}target${"é".repeat(500)}`]);
    expect(await search('a.*b [x] %d | "y" \\z')).toHaveLength(1);
    expect(await search("a.*z")).toEqual([]);
    const [hit] = await search("target");
    expect(hit).toMatch(/^a\.md:2:1001: …é+targeté+…$/);
    expect(hit?.length).toBeLessThan(300);
  });

  it("stops at a thousand lines and says so", async () => {
    const { chat, dir, search } = await opened();
    await using _chat = chat;
    for (let n = 0; n < 60; n++)
      await put(
        dir,
        `${n}.md`,
        Array.from({ length: 30 }, () => "needle"),
        n,
      );
    const found = await search("needle");
    expect(found).toHaveLength(1000);
    expect(found[0]).toBe("0.md:1:1: needle");
    expect(found[999]).toBe("33.md:10:1: needle");
    expect(await chat.nvim.lua("return vim.fn.getqflist({ title = 0 }).title")).toBe(
      "Conversations with: needle (the first 1000 lines)",
    );
  });

  it("covers all projects with a bang, and says so when nothing is found", async () => {
    const { chat, dir, search } = await opened();
    await using _chat = chat;
    const { chats } = await projectAt(chat, "/elsewhere");
    await put(chats, "x.md", ["a needle"]);
    await put(dir, "y.md", ["none"]);
    await choose(chat, "-");
    expect(await search("needle")).toEqual([]);
    expect(await said(chat)).toEqual(["codex-chat: no conversation has “needle”."]);
    expect(await search("needle", "!")).toEqual(["x.md:1:3: a needle"]);
    // Without a text it asks for one.
    await chat.nvim.lua(
      "vim.ui.input = function(opts, done) asked = opts.prompt; done(' needle ') end",
    );
    expect(await search("", "!")).toEqual(["x.md:1:3: a needle"]);
    expect(await chat.nvim.lua("return asked")).toBe("Search all conversations for: ");
  });
});
