import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import cases from "../../fixtures/titles.json" with { type: "json" };
import { openChat } from "../../support/chat.ts";
import {
  choose,
  conversation,
  offered,
  projectAt,
  prompts,
  put,
  said,
} from "../../support/conversations.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";

const THREAD = "01a1fcb4-c08b-77a2-b9ca-68eda92c9be5";

describe.each(neovims)("conversations on Neovim $name", (program) => {
  async function withThree() {
    const chat = await openChat({ program, config: { window: { startinsert: false } } });
    const dir = dirname(chat.path);
    const project = chat.nvim.cwd;
    const paths = [
      await put(
        dir,
        "2026-01-01-a.md",
        conversation({ project, query: "# Why is *this* slow?", turns: 3 }),
        120,
      ),
      await put(
        dir,
        "2026-01-02-b.md",
        conversation({ project, query: "日本語の質問", name: "Ünïcode" }),
        3,
      ),
      await put(dir, "2026-01-03-c.md", ["no front matter", "\u001b[31mred"], 60 * 24 * 2),
    ] as const;
    return { chat, dir, paths, project };
  }

  it("are listed, the newest first, and opened by the user's picker", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => offered(chat))
      .toEqual([
        "Ünïcode  (3 min · 1 turn · 日本語の質問)",
        "Why is this slow?  (2 h · 3 turns)",
        "2026-01-03-c  (2 d · 0 turns)",
      ]);
    expect(await prompts(chat)).toEqual(["codex-chat-thread: Conversation"]);
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", paths[0]);
    expect(await chat.nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => offered(chat))
      .toContain("Why is this slow?  (2 h · 3 turns · open here)");
  });

  it("are listed with no host and nothing to start one", async () => {
    await using nvim = await startNeovim({ program, config: { node: "/nowhere" } });
    const chat = { nvim };
    const { chats } = await projectAt(chat, nvim.cwd);
    await put(chats, "a.md", conversation({ query: "Still there?" }));
    await choose(chat, "-");
    await nvim.lua('require("codex-chat.commands").plug("threads")');
    await expect.poll(() => offered(chat)).toEqual(["Still there?  (1 min · 1 turn)"]);
  });

  it("are of all projects with a bang, and opened in their own", async () => {
    const { chat, project } = await withThree();
    await using _chat = chat;
    const other = join(project, "other");
    await mkdir(other);
    const { chats } = await projectAt(chat, other);
    await put(chats, "x.md", conversation({ project: other, query: "Elsewhere?", turns: 2 }));
    await choose(chat, "Elsewhere");
    await chat.nvim.command("CodexChat! threads");
    await expect.poll(async () => (await offered(chat))?.length).toBe(4);
    expect((await offered(chat))?.[0]).toBe("Elsewhere?  (other · 1 min · 2 turns)");
    await chat.nvim.until("(require('codex-chat.registry').get(0) or { root = '' }).root", other);
  });

  it("are renamed while closed; all other lines, and their age, stay as they were", async () => {
    const { chat, dir } = await withThree();
    await using _chat = chat;
    const before = [
      "\ufeff---\r",
      "tags: [a, 'b']   # mine\r",
      "name: >-\r",
      "  an old name\r",
      "  over lines\r",
      "nested:\r",
      "  thread: not this\r",
      "---\r",
      "\r",
      "## You\r",
      "\r",
      "Why?\r",
    ];
    const path = await put(dir, "d.md", before, 30);
    const { mtimeMs } = await stat(path);
    await choose(chat, "Why?");
    await chat.nvim.lua("vim.ui.input = function(_, done) done('Slow: a \"case\"\\n2') end");
    await chat.nvim.command("CodexChat threads rename");
    await expect
      .poll(() => said(chat))
      .toEqual([expect.stringContaining('is named “Slow: a "case" 2”')]);
    expect(await readFile(path, "utf8")).toBe(
      `${[...before.slice(0, 2), 'name: "Slow: a \\"case\\" 2"\r', ...before.slice(5)].join("\n")}\n`,
    );
    expect((await stat(path)).mtimeMs).toBeCloseTo(mtimeMs, -1);
    expect((await readdir(dir)).filter((it) => it.includes(".lock"))).toEqual([]);
    const names = async () => (await offered(chat))?.map((it) => it.split("  (")[0]);
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect.poll(names).toContain('Slow: a "case" 2');
    // Of the same length, and as old as before.
    await choose(chat, "Slow");
    await chat.nvim.lua("vim.ui.input = function(_, done) done('Slow: a \"case\" 3') end");
    await chat.nvim.command("CodexChat threads rename");
    await expect.poll(async () => (await said(chat)).length).toBe(1);
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect.poll(names).toContain('Slow: a "case" 3');
  });

  it("are renamed while open, in the text and the winbar, and Codex is told", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Ünïcode");
    await chat.nvim.command("CodexChat threads");
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", paths[1]);
    const { buf } = await chat.host.heard("chat/open", 2);
    await chat.host.editor.call.buf_set_state(buf, { phase: "idle" });
    expect(await chat.nvim.lua("return vim.wo.winbar")).toContain("Ünïcode");
    await chat.nvim.command("CodexChat rename  Now: here ");
    expect((await chat.nvim.lines(buf)).slice(0, 4)).toContain('name: "Now: here"');
    expect(await chat.nvim.lua("return vim.wo.winbar")).toContain("Now: here");
    expect(await chat.host.heard("action/run")).toMatchObject({
      name: "threads/name",
      params: { thread: "0199-aa", name: "Now: here" },
    });
    await chat.nvim.command("CodexChat rename \u200b");
    expect((await said(chat)).at(-1)).toContain("needs at least one character");
  });

  it("are archived, listed there, and taken out again, with their pictures", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    const picture = await put(join(dir, "images"), "2026-01-01-a-1.png", ["picture"]);
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads archive");
    await expect
      .poll(() => said(chat))
      .toEqual([expect.stringContaining("“Why is this slow?” is archived")]);
    expect((await readdir(join(dir, "archive"))).sort()).toEqual(["2026-01-01-a.md", "images"]);
    expect(await readdir(join(dir, "archive/images"))).toEqual([basename(picture)]);
    // Another of the same name meanwhile: neither is lost.
    await put(dir, "2026-01-01-a.md", conversation({ query: "Another?" }));
    await choose(chat, "Why is", "Unarchive");
    await chat.nvim.command("CodexChat threads archived");
    await expect
      .poll(() => said(chat))
      .toEqual([expect.stringContaining("“Why is this slow?” is among the others again")]);
    expect(await offered(chat)).toEqual(["Why is this slow?  (2 h · 3 turns · archived)"]);
    expect((await prompts(chat))[1]).toBe(
      "codex-chat-thread-task: What about “Why is this slow?”?",
    );
    expect(await readFile(paths[0], "utf8")).toContain("Another?");
    expect(await readFile(join(dir, "2026-01-01-a-2.md"), "utf8")).toContain("Why is *this* slow?");
  });

  it("are closed before they are archived, and Codex is told through them", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads open");
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", paths[0]);
    const { buf } = await chat.host.heard("chat/open", 2);
    await chat.host.editor.call.buf_set_state(buf, { phase: "idle" });
    await chat.nvim.command("CodexChat archive");
    const asked = await chat.host.heard("action/run");
    expect(asked).toMatchObject({ name: "threads/archive", params: { thread: "0199-aa" } });
    await readFile(paths[0]);
    await chat.host.editor.call.action_answer(asked.id, { ok: true, value: { told: true } });
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining("is archived")]);
    expect(await chat.host.heard("chat/close")).toEqual({ buf });
    expect(await chat.nvim.lua("return vim.api.nvim_buf_is_valid(...)", buf)).toBe(false);
    await expect(readFile(paths[0])).rejects.toThrow("ENOENT");
  });

  it("are deleted once that is confirmed, and Codex is to forget them when it runs", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    const path = await put(dir, "d.md", conversation({ query: "Secret?", thread: THREAD }));
    const picture = await put(join(dir, "images"), "d-2.png", ["picture"]);
    const another = await put(join(dir, "images"), "d-2-1.png", ["picture"]);
    await choose(chat, "Secret?", "Keep");
    await chat.nvim.command("CodexChat threads delete");
    await expect.poll(async () => (await prompts(chat)).length).toBe(2);
    await readFile(path);
    await choose(chat, "Secret?", "Delete");
    await chat.nvim.command("CodexChat threads delete");
    await expect
      .poll(() => said(chat))
      .toEqual([
        "codex-chat: “Secret?” is deleted; Codex forgets it when it next runs in this project.",
      ]);
    for (const gone of [path, picture]) await expect(readFile(gone)).rejects.toThrow("ENOENT");
    await readFile(another);
    await readFile(paths[0]);
    expect(await readdir(join(dir, "../forget"))).toEqual([THREAD]);
  });

  it("are not deleted where nobody can be asked, but by the command that is named", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.send("hello");
    await put(dirname(chat.path), basename(chat.path), ["## You", "", "hello"]);
    // Neovim's own question, without a screen.
    await chat.nvim.lua(
      "vim.ui.select = assert(loadfile(vim.env.VIMRUNTIME .. '/lua/vim/ui.lua'))().select",
    );
    const refused = await chat.nvim.command("CodexChat delete").catch(String);
    expect(refused).toContain("nothing was removed: nobody can be asked here");
    await readFile(chat.path);
    await chat.nvim.command(/`:(.*)`/.exec(refused ?? "")?.[1] ?? "");
    await expect.poll(() => chat.nvim.messages()).toContain("is deleted");
    await expect(readFile(chat.path)).rejects.toThrow("ENOENT");
  });

  it("are not taken away in mid-turn", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.send("hello");
    await put(dirname(chat.path), basename(chat.path), ["## You", "", "hello"]);
    await chat.setState({ phase: "running" });
    await choose(chat, "Delete");
    for (const word of ["archive", "delete"]) await chat.nvim.command(`CodexChat ${word}`);
    expect(await said(chat)).toEqual([
      expect.stringContaining("a turn is running in “hello”"),
      expect.stringContaining("stop it with :CodexChat stop"),
    ]);
    expect(await chat.body()).toContain("hello");
  });

  it("are left alone while another Neovim has them; opening one begins another", async () => {
    const { chat, paths, dir } = await withThree();
    await using _chat = chat;
    await writeFile(`${paths[0]}.lock`, JSON.stringify({ pid: process.pid }));
    for (const word of ["archive", "delete", "rename"]) {
      await choose(chat, "Why is", "Delete");
      await chat.nvim.lua("vim.ui.input = function(_, done) done('New') end");
      await chat.nvim.command(`CodexChat threads ${word}`);
      await expect
        .poll(() => said(chat), { message: word })
        .toEqual([
          expect.stringContaining(`is open in another Neovim, which writes it; ${word} it`),
        ]);
    }
    expect((await offered(chat))?.[1]).toContain("3 turns · open in another Neovim");
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => said(chat))
      .toEqual([expect.stringContaining("is open in another Neovim, so this is a new one")]);
    const opened = await chat.nvim.lua<string>("return vim.api.nvim_buf_get_name(0)");
    expect(dirname(opened)).toBe(dir);
    expect(paths).not.toContain(opened);
    await readFile(paths[0]);
  });

  it("are had although whoever locked them is gone", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    await writeFile(`${paths[0]}.lock`, JSON.stringify({ pid: 999_999_999, startTime: "1" }));
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads archive");
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining("is archived")]);
    expect((await readdir(dir)).filter((it) => it.includes("lock"))).toEqual([]);
  });

  it("say it when a task is unknown, or where the bang means nothing", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await choose(chat, "x");
    await chat.nvim.command("CodexChat threads burn");
    await chat.nvim.command("CodexChat! stop");
    await chat.nvim.command("CodexChat unarchive");
    await chat.nvim.command("CodexChat delete");
    expect(await said(chat)).toEqual([
      expect.stringContaining("takes open, manage, rename, archive, unarchive, delete, archived"),
      expect.stringContaining("leave the ! out"),
      expect.stringContaining("is not archived"),
      expect.stringContaining("there is nothing to delete"),
    ]);
    expect(
      await chat.nvim.lua("return vim.fn.getcompletion('CodexChat! threads a', 'cmdline')"),
    ).toEqual(["archive", "archived"]);
  });
});

describe.each(neovims)("titles in Lua on Neovim $name", (program) => {
  it("are those that the host makes", async () => {
    await using chat = await openChat({ program });
    const made = await chat.nvim.lua<string[]>(
      `return vim.tbl_map(function(query)
         return require("codex-chat.threads.title").of(vim.split(query, "\\n"))
       end, ...)`,
      cases.map((it) => it.query),
    );
    expect(made).toEqual(cases.map((it) => it.title));
  });
});
