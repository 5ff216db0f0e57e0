/** A file that the agent changes while its buffer has unsaved changes. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, type NeovimProgram, neovims } from "../../support/neovim.ts";

const letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;
const TOLD = "a.txt changed on disk, and you have unsaved changes there";

describe.each(neovims)("a file with unsaved changes in its buffer, on Neovim $name", (program) => {
  it("is left alone, and the user is told once for each change, at a calm moment", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    await nvim.keys("ggIx");
    await expect.poll(() => nvim.mode()).toBe("i");
    await nvim.until("vim.bo.modified");
    await change(text(["other", ...letters]));
    await change(text(["other", ...letters]));
    expect(await said(nvim)).toBe(0);
    await nvim.keys("y<Esc>");
    await expect.poll(() => said(nvim)).toBe(1);
    expect(await nvim.lines()).toEqual(["xya", ...letters.slice(1)]);
    await nvim.command(`checktime ${editor.buf}`);
    await change(text(["other", ...letters]));
    expect(await said(nvim)).toBe(1);
    await change(text(["once more", ...letters]));
    await expect.poll(() => said(nvim)).toBe(2);
    expect(await nvim.lines()).toEqual(["xya", ...letters.slice(1)]);
    expect(await nvim.messages()).not.toContain("W12");
    await nvim.command("silent write!");
    await change(text(["xya", ...letters.slice(1)]));
    expect(await nvim.lua("return require('codex-chat.reload.conflict').next() == nil")).toBe(true);
  });

  it("is kept, and the other text stays within reach", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    const mine = await typed(nvim);
    const theirs = ["other", ...letters.slice(0, 9)];
    await change(text(theirs));
    expect(await answer(nvim, "Keep mine")).toEqual(["other", "a"]);
    expect(await nvim.lines()).toEqual(mine);
    expect(await nvim.lua("return { vim.bo.modified, #vim.api.nvim_list_tabpages() }")).toEqual([
      true,
      1,
    ]);
    await nvim.command("silent redo");
    expect(await nvim.lines()).toEqual(theirs);
    await nvim.command("silent undo | silent write");
    expect(await readFile(editor.path, "utf8")).toBe(text(mine));
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(letters);
    expect(await nvim.lua("return vim.bo.modified")).toBe(true);
  });

  it("is written without another question, if it is still the file that the user has seen", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    const mine = await typed(nvim);
    await change(text(["other", ...letters]));
    await nvim.command(`checktime ${editor.buf}`);
    await answer(nvim, "Keep mine");
    await nvim.command("silent write");
    expect(await readFile(editor.path, "utf8")).toBe(text(mine));
    expect(
      await nvim.lua("return #vim.api.nvim_get_autocmds({ event = 'BufWriteCmd', buffer = 0 })"),
    ).toBe(0);

    await nvim.type("Gotyped<Esc>");
    await kept(nvim);
    await change(text(["once more", ...letters]));
    await nvim.command(`checktime ${editor.buf}`);
    await answer(nvim, "Merge both");
    await writeFile(editor.path, "another text\n");
    await nvim.keys(":write<CR>");
    await expect.poll(() => nvim.mode()).toMatch(/^r/);
    await nvim.keys("n");
    const idle = async () => {
      const mode = await nvim.mode();
      // Neovim 0.10 asks for a key after its own question.
      if (mode === "r") await nvim.keys("<CR>");
      return mode;
    };
    await expect.poll(idle).toBe("n");
    expect(await readFile(editor.path, "utf8")).toBe("another text\n");
  });

  it("gives way, as one undo step", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    const mine = await typed(nvim);
    const theirs = ["other", ...letters];
    await change(text(theirs));
    await answer(nvim, "Take the file's text");
    expect(await nvim.lines()).toEqual(theirs);
    expect(await nvim.lua("return vim.bo.modified")).toBe(false);
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(mine);
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(letters);
    expect(await nvim.lua("return vim.bo.modified")).toBe(true);
    await nvim.command("silent write");
    expect(await readFile(editor.path, "utf8")).toBe(text(letters));
  });

  it("is merged as one undo step, and without markers where nothing conflicts", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    const mine = await typed(nvim);
    await change(text(["first", "a", "B", ...letters.slice(2, 8), "j"]));
    await answer(nvim, "Merge both");
    const merged = ["first", "a", "B", "c", "d", "E typed", "typed", "f", "g", "h", "j"];
    expect(await nvim.lines()).toEqual(merged);
    expect(await nvim.lua("return vim.bo.modified")).toBe(true);
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(mine);
    await nvim.command("silent redo | silent write");
    expect(await readFile(editor.path, "utf8")).toBe(text(merged));
  });

  it("is merged with markers only where both changed, which the question says", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    await typed(nvim);
    await change(text(["first", ...letters.slice(0, 4), "E agent", ...letters.slice(5)]));
    await answer(nvim, "Merge both, with 1 conflict between markers");
    expect(await nvim.lines()).toEqual([
      "first",
      ...letters.slice(0, 4),
      "<<<<<<< yours",
      "E typed",
      "typed",
      "=======",
      "E agent",
      ">>>>>>> on disk",
      ...letters.slice(5),
    ]);
  });

  it("is asked about from the chat by keys, and the answer leads back there", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    await typed(nvim);
    await nvim.command(`sbuffer ${editor.chatBuf} | stopinsert`);
    await change(text(["first", ...letters]));
    await nvim.untilShown("CodexChat question shows both");
    expect((await nvim.request("nvim_get_mode")) as object).toMatchObject({ mode: "n" });
    await nvim.keys(":CodexChat question<CR>");
    await nvim.untilShown("3: Merge both");
    expect(nvim.screen?.text()).toContain("E typed");
    await nvim.keys("3<CR>");
    await nvim.until("vim.fn.bufnr()", editor.chatBuf);
    expect((await nvim.lines(editor.buf)).slice(0, 2)).toEqual(["first", "a"]);
    const left = "return { #vim.api.nvim_list_tabpages(), vim.fn.bufname('on-disk') }";
    expect(await nvim.lua(left)).toEqual([1, ""]);
  });

  it("is in sync when both made the same change, and when the file was only touched", async () => {
    await using editor = await opened(program);
    const { nvim, change } = editor;
    const mine = await typed(nvim);
    await change(text(letters));
    expect(await nvim.lines()).toEqual(mine);
    await change(text(mine));
    expect(await nvim.lua("return vim.bo.modified")).toBe(false);
    expect(await said(nvim)).toBe(0);
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(letters);
    expect(await nvim.lua("return vim.bo.modified")).toBe(true);
  });

  it("has its text where the chat opened later", async () => {
    await using editor = await opened(program, async (nvim) => {
      await nvim.lua("vim.api.nvim_buf_set_lines(0, 4, 5, false, { 'E typed', 'typed' })");
    });
    const { nvim, change } = editor;
    await change(text(letters));
    expect(await said(nvim)).toBe(0);
    await change(text(["first", ...letters]));
    await answer(nvim, "Merge both");
    expect((await nvim.lines()).slice(0, 7)).toEqual([
      "first",
      ...letters.slice(0, 4),
      "E typed",
      "typed",
    ]);
  });
});

describe.each(neovims)("a file that is gone, on Neovim $name", (program) => {
  it("is reported once, with its new name, and its buffer keeps the text until it is back", async () => {
    await using editor = await opened(program);
    const { nvim, host } = editor;
    await editor.attach();
    const reported = async (words: string) =>
      (await nvim.messages()).replaceAll("\n", "").split(words).length - 1;
    const answered = async (count: number, renamed: boolean) => {
      const { id, name } = await host.heard("action/run", count);
      expect(name).toBe("changes/list");
      const path = join(nvim.cwd, "b.txt");
      const files = renamed ? [{ path, old: editor.path, change: "renamed", ignored: false }] : [];
      await host.editor.call.action_answer(id, { ok: true, value: { files } });
    };
    await rm(editor.path);
    await editor.reload();
    await answered(1, false);
    await expect.poll(() => reported("a.txt was deleted")).toBe(1);
    await editor.reload();
    await nvim.command(`checktime ${editor.buf}`);
    await editor.reload();
    expect(await reported("a.txt was deleted")).toBe(1);
    expect(await nvim.messages()).not.toContain("E211");
    expect(await nvim.lines()).toEqual(letters);
    expect(await nvim.lua("return vim.bo.modified")).toBe(false);
    await editor.change("back\n");
    expect(await nvim.lines()).toEqual(["back"]);
    await nvim.command("silent undo | silent write");
    expect(await readFile(editor.path, "utf8")).toBe(text(letters));

    await rename(editor.path, join(nvim.cwd, "b.txt"));
    await editor.reload();
    await answered(2, true);
    await expect.poll(() => reported("a.txt is b.txt now")).toBe(1);
    expect(await nvim.lines()).toEqual(letters);
    expect(await reported("was deleted")).toBe(1);
  });
});

/** Waits until the text of the file is kept, which happens when Neovim has time for it. */
async function kept(nvim: Neovim): Promise<void> {
  await nvim.until("require('codex-chat.reload.base').lines(vim.fn.bufnr()) ~= nil");
}

async function said(nvim: Neovim): Promise<number> {
  return (await nvim.messages()).replaceAll("\n", "").split(TOLD).length - 1;
}

/** Changes the fifth line and adds one below it, as the user does. */
async function typed(nvim: Neovim): Promise<string[]> {
  await nvim.type("5GccE typed<CR>typed<Esc>");
  await kept(nvim);
  return nvim.lines();
}

/** Answers the question, and returns the first line of both texts that it shows. */
async function answer(nvim: Neovim, choice: string): Promise<unknown> {
  await nvim.until("require('codex-chat.reload.conflict').next() ~= nil");
  return nvim.lua(
    `local wanted, shown = ..., nil
     vim.ui.select = function(items, opts, on_choice)
       shown = vim.tbl_map(function(win)
         assert(vim.wo[win].diff)
         return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(win), 0, 1, false)[1]
       end, vim.api.nvim_tabpage_list_wins(0))
       for _, item in ipairs(items) do
         if opts.format_item(item) == wanted then return on_choice(item) end
       end
       error(vim.inspect(items))
     end
     vim.cmd("CodexChat question")
     return shown`,
    choice,
  );
}

/** A file of a project with a conversation, open in the current window. */
async function opened(program: NeovimProgram, before?: (nvim: Neovim) => Promise<void>) {
  const chat = await openChat({
    program,
    config: { window: { startinsert: false } },
    screen: { columns: 80, rows: 24 },
  });
  const { nvim } = chat;
  const path = join(nvim.cwd, "a.txt");
  await writeFile(path, text(letters));
  await nvim.command("wincmd p | only");
  if (before !== undefined) {
    // As if this conversation was the first.
    await nvim.lua(
      "for name in pairs(package.loaded) do if name:find('^codex%-chat%.reload') then package.loaded[name] = nil end end vim.api.nvim_del_augroup_by_name('codex-chat.reload')",
    );
  }
  await nvim.command(`edit ${path}`);
  await before?.(nvim);
  await nvim.lua("require('codex-chat.reload').guard() vim.cmd('messages clear')");
  const reload = async () => {
    await chat.host.editor.call.buf_reload({ root: nvim.cwd });
  };
  return {
    nvim,
    chatBuf: chat.buf,
    buf: await nvim.buf(),
    host: chat.host,
    path,
    reload,
    attach: () => nvim.lua("require('codex-chat.registry').get(...).host = 'attached'", chat.buf),
    change: async (content: string) => {
      // At once: Neovim must not read a file that is half written.
      await writeFile(`${path}.new`, content);
      await rename(`${path}.new`, path);
      await reload();
    },
    [Symbol.asyncDispose]: () => chat[Symbol.asyncDispose](),
  };
}
