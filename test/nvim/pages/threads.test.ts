import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CodexAnswer } from "../../../src/threads/changes.ts";
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

  it("are listed newest first, and opened through the user's picker", async () => {
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

  it("are listed without an open conversation, with a reason if no host can start", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.nvim.command("bwipeout! | cd .");
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect.poll(async () => (await offered(chat))?.length).toBe(3);

    await using bare = await startNeovim({ program, config: { node: "/nowhere" } });
    await choose({ nvim: bare }, "-");
    for (const command of ["threads", "search x", "threads archive"])
      await bare.command(`CodexChat ${command}`);
    await expect
      .poll(() => said({ nvim: bare }))
      .toEqual(
        Array(3).fill(expect.stringMatching(/Node was not found as `\/nowhere`.*Install Node/)),
      );
  });

  it("come from all projects with a bang, and open in their own project", async () => {
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

  it("are offered a page at a time in Neovim's own menu, which cannot filter", async () => {
    const { chat, dir } = await withThree();
    await using _chat = chat;
    await Promise.all(
      Array.from({ length: 600 }, (_, n) =>
        put(dir, `${n}.md`, conversation({ query: `Question ${n}?` }), 60 * 24 * 10 + n),
      ),
    );
    await chat.nvim.lua(
      `vim.ui.select = assert(loadfile(vim.env.VIMRUNTIME .. "/lua/vim/ui.lua"))().select
       _G.menus = {}
       vim.fn.inputlist = function(choices)
         table.insert(_G.menus, { #choices, choices[#choices] })
         return #_G.menus == 1 and #choices - 1 or 103
       end`,
    );
    await chat.nvim.command("CodexChat threads");
    await chat.nvim.until("vim.fs.basename(vim.api.nvim_buf_get_name(0))", "599.md");
    // The prompt is the first line.
    expect(await chat.nvim.lua("return _G.menus")).toEqual([
      [502, "501: … 103 older conversations"],
      [104, expect.stringMatching(/^103: Question 599\?/)],
    ]);
  });

  it("are renamed while closed, which changes no other line and not their age", async () => {
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
    expect((await readdir(dir)).filter((name) => name.includes(".lock"))).toEqual([]);
    const names = async () => (await offered(chat))?.map((entry) => entry.split("  (")[0]);
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
    await expect
      .poll(() => chat.host.asked)
      .toMatchObject([{ task: "rename", thread: "0199-aa", name: "Now: here" }]);
    await chat.nvim.command("CodexChat rename \u200b");
    expect((await said(chat)).at(-1)).toContain("needs at least one visible character");
  });

  it("are archived, listed in the archive and restored, together with their pictures", async () => {
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
      .toEqual([expect.stringContaining("“Why is this slow?” is back from the archive")]);
    expect(await offered(chat)).toEqual(["Why is this slow?  (2 h · 3 turns · archived)"]);
    expect((await prompts(chat))[1]).toBe(
      "codex-chat-thread-task: What about “Why is this slow?”?",
    );
    expect(await readFile(paths[0], "utf8")).toContain("Another?");
    expect(await readFile(join(dir, "2026-01-01-a-2.md"), "utf8")).toContain("Why is *this* slow?");
  });

  it("are closed before they are archived, which tells Codex", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads open");
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", paths[0]);
    const { buf } = await chat.host.heard("chat/open", 2);
    await chat.host.editor.call.buf_set_state(buf, { phase: "idle" });
    let answer = (_: CodexAnswer) => {};
    const answered = new Promise<CodexAnswer>((resolve) => {
      answer = resolve;
    });
    chat.host.codex = () => answered;
    await chat.nvim.command("CodexChat archive");
    await expect
      .poll(() => chat.host.asked)
      .toMatchObject([{ task: "archive", thread: "0199-aa" }]);
    await readFile(paths[0]);
    expect(chat.host.of("chat/close")).toEqual([]);
    answer({ isTold: true });
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining("is archived")]);
    expect(await chat.host.heard("chat/close")).toEqual({ buf });
    expect(await chat.nvim.lua("return vim.api.nvim_buf_is_valid(...)", buf)).toBe(false);
    await expect(readFile(paths[0])).rejects.toThrow("ENOENT");
  });

  it("are deleted after a confirmation, and Codex forgets them when it next runs", async () => {
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

  it("are not deleted if nobody can confirm, and the message names the command for it", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.send("hello");
    await put(dirname(chat.path), basename(chat.path), ["## You", "", "hello"]);
    // Neovim's own question, without a screen.
    await chat.nvim.lua(
      "vim.ui.select = assert(loadfile(vim.env.VIMRUNTIME .. '/lua/vim/ui.lua'))().select",
    );
    const refused = await chat.nvim.command("CodexChat delete").catch(String);
    expect(refused).toContain("nothing was removed, because nobody can answer the question here");
    await readFile(chat.path);
    await chat.nvim.command(/`:(.*)`/.exec(refused ?? "")?.[1] ?? "");
    await expect.poll(() => chat.nvim.messages()).toContain("is deleted");
    await expect(readFile(chat.path)).rejects.toThrow("ENOENT");
  });

  it("are neither archived nor deleted during a turn", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.send("hello");
    await put(dirname(chat.path), basename(chat.path), ["## You", "", "hello"]);
    await chat.setState({ phase: "running" });
    await choose(chat, "Delete");
    for (const word of ["archive", "delete"]) await chat.nvim.command(`CodexChat ${word}`);
    await expect
      .poll(() => said(chat))
      .toEqual([
        expect.stringContaining("a turn is running in “hello”"),
        expect.stringContaining("stop it with :CodexChat stop"),
      ]);
    expect(await chat.body()).toContain("hello");
  });

  it("are left alone while another Neovim has them open, and opening one starts a new one", async () => {
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

  it("are available again when the process that locked them is gone", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const holder = { pid: 999_999_999, startTime: "1", boot, host: hostname() };
    await writeFile(`${paths[0]}.lock`, JSON.stringify(holder));
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads archive");
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining("is archived")]);
    expect((await readdir(dir)).filter((name) => name.includes("lock"))).toEqual([]);
  });

  it("report an unknown task, and a bang that means nothing", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await choose(chat, "x");
    await chat.nvim.command("CodexChat threads burn");
    await chat.nvim.command("CodexChat! stop");
    await chat.nvim.command("CodexChat unarchive");
    await chat.nvim.command("CodexChat delete");
    await expect
      .poll(() => said(chat))
      .toEqual([
        expect.stringContaining("takes open, manage, rename, archive, unarchive, delete, archived"),
        expect.stringContaining("takes no `!`"),
        expect.stringContaining("is not archived"),
        expect.stringContaining("there is nothing to delete"),
      ]);
    expect(
      await chat.nvim.lua("return vim.fn.getcompletion('CodexChat! threads a', 'cmdline')"),
    ).toEqual(["archive", "archived"]);
  });
});
