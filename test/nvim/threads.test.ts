import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../support/chat.ts";
import { neovims } from "../support/neovim.ts";

/** A conversation's file; written `minutes` ago. */
async function put(
  dir: string,
  name: string,
  lines: readonly string[],
  minutes: number,
): Promise<string> {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${lines.join("\n")}\n`);
  const then = Date.now() / 1000 - minutes * 60 - 5;
  await utimes(path, then, then);
  return path;
}

const conversation = (project: string, query: string, turns: number, name?: string) => [
  "---",
  "codex-chat: 1",
  ...(name === undefined ? [] : [`name: ${name}`]),
  `project: ${project}`,
  "thread: 0199-aa",
  "---",
  ...Array.from({ length: turns }, (_, n) => [
    "",
    "## You",
    "",
    n === 0 ? query : `Query ${n + 1}`,
    "",
    "## Codex",
    "",
    "An answer with a Needle.",
  ]).flat(),
  "",
  "## You",
  "",
];

/** Stands for the user's picker: keeps what was offered and takes the entry that has `text`. */
async function choose(chat: OpenChat, text: string): Promise<void> {
  await chat.nvim.lua(
    `local wanted = ...
     _G.offered = nil
     _G.said = {}
     vim.notify = function(message) table.insert(_G.said, message) end
     vim.ui.select = function(items, opts, done)
       local shown = vim.tbl_map(opts.format_item or tostring, items)
       _G.offered = _G.offered or shown
       for i, line in ipairs(shown) do
         if line:find(wanted, 1, true) or line == "Delete" then
           return done(items[i], i)
         end
       end
       done(nil)
     end`,
    text,
  );
}

const offered = (chat: OpenChat) => chat.nvim.lua<string[] | null>("return _G.offered");
const said = (chat: OpenChat) => chat.nvim.lua<string[]>("return _G.said");

describe.each(neovims)("conversations on Neovim $name", (program) => {
  async function withThree() {
    const chat = await openChat({ program, config: { window: { startinsert: false } } });
    const dir = dirname(chat.path);
    const { cwd } = chat.nvim;
    const paths = [
      await put(dir, "2026-01-01-a.md", conversation(cwd, "# Why is *this* slow?", 3), 120),
      await put(dir, "2026-01-02-b.md", conversation(cwd, "日本語の質問", 1, "Ünïcode"), 3),
      await put(dir, "2026-01-03-c.md", ["no front matter", "\u001b[31mred"], 60 * 24 * 2),
    ];
    return { chat, dir, paths };
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
        "Why is *this* slow?  (2 h · 3 turns)",
        "2026-01-03-c  (2 d · 0 turns)",
      ]);
    await expect.poll(() => chat.nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(paths[0]);
    expect(await chat.nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
  });

  it("are of all projects with a bang", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    const other = join(chat.nvim.cwd, "other");
    await mkdir(other);
    const dir = join(dirname(chat.path), "../../other-1/chats");
    await put(dir, "x.md", conversation(other, "Elsewhere?", 2), 1);
    await choose(chat, "Elsewhere");
    await chat.nvim.command("CodexChat! threads");
    await expect.poll(async () => (await offered(chat))?.length).toBe(4);
    expect((await offered(chat))?.[0]).toBe("Elsewhere?  (other · 1 min · 2 turns)");
    await expect
      .poll(() =>
        chat.nvim.lua(
          "local chat = require('codex-chat.registry').get(0); return chat and chat.root",
        ),
      )
      .toBe(other);
  });

  it("are renamed, also when open, and keep all other keys of the front matter", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Why is");
    await chat.nvim.lua("vim.ui.input = function(_, done) done('Slow: a \"case\"') end");
    await chat.nvim.command("CodexChat threads rename");
    await expect
      .poll(() => readFile(paths[0] ?? "", "utf8"))
      .toContain('name: "Slow: a \\"case\\""');
    expect(await readFile(paths[0] ?? "", "utf8")).toContain("thread: 0199-aa");
    await chat.nvim.command("CodexChat rename Now here");
    expect((await chat.nvim.lines(chat.buf)).slice(0, 5)).toContain("name: Now here");
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect.poll(() => offered(chat)).toContainEqual(expect.stringMatching(/^Slow: a "case"/));
  });

  it("are archived, listed there, and taken out again", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads archive");
    await expect.poll(() => readFile(join(dir, "archive/2026-01-01-a.md"), "utf8")).toBeTruthy();
    await choose(chat, "Why is");
    await chat.nvim.command("CodexChat threads archived");
    await expect.poll(() => readFile(paths[0] ?? "", "utf8")).toBeTruthy();
    expect(await offered(chat)).toEqual(["Why is *this* slow?  (2 h · 3 turns · archived)"]);
  });

  it("are deleted once that is confirmed, with what Codex remembers", async () => {
    const { chat, dir, paths } = await withThree();
    await using _chat = chat;
    const id = "01a1fcb4-c08b-77a2-b9ca-68eda92c9be5";
    const path = await put(
      dir,
      "d.md",
      conversation(chat.nvim.cwd, "Secret?", 1).map((it) => it.replace("0199-aa", id)),
      1,
    );
    const home = join(dirname(dir), "codex-home/sessions");
    const rollout = await put(home, `2026/rollout-2026-${id}.jsonl`, ["{}"], 1);
    const others = await put(home, "2026/rollout-2026-other.jsonl", ["{}"], 1);
    await choose(chat, "Secret?");
    await chat.nvim.command("CodexChat threads delete");
    await expect.poll(() => said(chat)).toEqual(["codex-chat: deleted."]);
    for (const gone of [path, rollout]) await expect(readFile(gone)).rejects.toThrow("ENOENT");
    await readFile(others);
    await readFile(paths[0] ?? "");
  });

  it("are not taken away in mid-turn", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await chat.send("hello");
    await chat.setState({ phase: "running" });
    await choose(chat, "Delete");
    for (const word of ["archive", "delete"]) await chat.nvim.command(`CodexChat ${word}`);
    expect(await said(chat)).toEqual([
      expect.stringContaining("a turn is running in it"),
      expect.stringContaining("a turn is running in it"),
    ]);
    expect(await chat.body()).toContain("hello");
  });

  it("are left alone while another Neovim has them", async () => {
    const { chat, paths } = await withThree();
    await using _chat = chat;
    await writeFile(`${paths[0]}.lock`, JSON.stringify({ pid: process.pid }));
    for (const word of ["open", "archive", "delete", "rename"]) {
      await choose(chat, "Why is");
      await chat.nvim.lua("vim.ui.input = function(_, done) done('New') end");
      await chat.nvim.command(`CodexChat threads ${word}`);
      await expect
        .poll(() => said(chat), { message: word })
        .toEqual([expect.stringContaining("open in another Neovim")]);
    }
    await readFile(paths[0] ?? "");
  });

  it("are searched, archived ones too, into a quickfix list", async () => {
    const { chat, dir } = await withThree();
    await using _chat = chat;
    await put(join(dir, "archive"), "e.md", ["a needle in the archive"], 9);
    const found = async (text: string) => {
      await chat.nvim.command(`CodexChat search ${text}`);
      await expect
        .poll(() => chat.nvim.lua("return vim.fn.getqflist({title=0}).title"))
        .toContain(text);
      return chat.nvim.lua<string[]>(
        `return vim.tbl_map(function(it)
           return vim.fs.basename(vim.fn.bufname(it.bufnr)) .. ":" .. it.lnum .. ": " .. it.text
         end, vim.fn.getqflist())`,
      );
    };
    const lower = await found("needle");
    expect(lower.length).toBe(5);
    expect(lower).toContain("e.md:1: a needle in the archive");
    expect(lower[0]).toMatch(/^2026-01-02-b\.md:\d+: An answer with a Needle\.$/);
    expect((await found("Needle")).length).toBe(4);
    expect(await found("[31m")).toEqual(["2026-01-03-c.md:2:  [31mred"]);
  });

  it("say it when a task is unknown, or where the bang means nothing", async () => {
    const { chat } = await withThree();
    await using _chat = chat;
    await choose(chat, "x");
    await chat.nvim.command("CodexChat threads burn");
    await chat.nvim.command("CodexChat! stop");
    expect(await said(chat)).toEqual([
      expect.stringContaining("takes open, rename, archive, delete, archived"),
      expect.stringContaining("leave the ! out"),
    ]);
    expect(basename(chat.path)).toMatch(/\.md$/);
  });
});
