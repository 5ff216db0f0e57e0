import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const find =
  "return vim.tbl_map(function(m) return m.text end, require('codex-chat.context.mention').find(...))";

describe.each(neovims)("mentions on Neovim $name", (program) => {
  /** A chat beside a file of the project, from which the user came. */
  async function besideFile(): Promise<OpenChat> {
    const chat = await openChat({ program, config: { window: { startinsert: false } } });
    const { cwd } = chat.nvim;
    await mkdir(join(cwd, "src"));
    await writeFile(join(cwd, "src/add.lua"), "local M = {}\nM.one = 1\nM.two = 2\nreturn M\n");
    await writeFile(join(cwd, "a file – é.txt"), "spaced\n");
    await writeFile(join(cwd, "binary"), Buffer.from([1, 0, 2]));
    await writeFile(join(cwd, "dot.png"), PNG);
    await symlink("/etc/hostname", join(cwd, "way-out"));
    await execa("mkfifo", [join(cwd, "pipe")]);
    await chat.nvim.lua(
      `_G.said = {}
       vim.notify = function(message) table.insert(_G.said, message) end
       local chat_win = vim.api.nvim_get_current_win()
       vim.cmd("wincmd p")
       vim.cmd.edit("src/add.lua")
       vim.api.nvim_set_current_win(chat_win)`,
    );
    return chat;
  }

  const said = (chat: OpenChat) => chat.nvim.lua<string[]>("return _G.said");

  /** Sends, and gives what the host was told; without the editor's part of the paths. */
  async function sent(chat: OpenChat, text: string) {
    await chat.send(text);
    return chat.host.of("turn/send").at(-1);
  }

  it("are distinguished from text that only looks like one", async () => {
    await using chat = await besideFile();
    const text = [
      'See @src/add.lua, (@buffer) and @"a file – é.txt"#L1. Not me@example.org nor `@code`.',
      "```",
      "@fenced",
      "```",
      "@diagnostics:project! @src/add.lua#L2-L3; @image:dot.png @src/add.lua",
      "@param @ @@ @diffs",
    ].join("\n");
    expect(await chat.nvim.lua(find, text)).toEqual([
      "@src/add.lua",
      "@buffer",
      '@"a file – é.txt"#L1',
      "@diagnostics:project",
      "@src/add.lua#L2-L3",
      "@image:dot.png",
      "@param",
      "@@",
      "@diffs",
    ]);
  });

  it("send the lines they name, and appear in the document in short form", async () => {
    await using chat = await besideFile();
    const told = await sent(chat, "Explain @src/add.lua#L2-L3, please.");
    expect(told).toMatchObject({
      text: "Explain @src/add.lua#L2-L3, please.",
      context: [{ text: "src/add.lua lines 2–3:\n\n```lua\nM.one = 1\nM.two = 2\n```" }],
    });
    expect(await chat.body()).toEqual([
      "## You",
      "",
      "Explain @src/add.lua#L2-L3, please.",
      "",
      "> **Context:** src/add.lua lines 2–3",
      "",
      "## You",
      "",
    ]);
  });

  it("accept lines in the form that compilers print", async () => {
    await using chat = await besideFile();
    const told = await sent(chat, "@src/add.lua:2-3, @src/add.lua:4: and @localhost:80");
    expect(told?.context.map((context) => context.text)).toEqual([
      "src/add.lua lines 2–3:\n\n```lua\nM.one = 1\nM.two = 2\n```",
      "src/add.lua line 4:\n\n```lua\nreturn M\n```",
    ]);
  });

  it("name a whole file, and send its text only if the editor has a different one", async () => {
    await using chat = await besideFile();
    expect(await sent(chat, 'Look at @src/add.lua and @"a file – é.txt".')).toMatchObject({
      context: [
        { text: "The query is about `src/add.lua`." },
        { text: "The query is about `a file – é.txt`." },
      ],
    });
    await chat.nvim.lua(
      "vim.api.nvim_buf_set_lines(vim.fn.bufnr('src/add.lua'), 0, 1, false, {'-- ```new'})",
    );
    const told = await sent(chat, "And now @src/add.lua?");
    expect(told?.context[0]?.text).toContain("(with unsaved changes)");
    expect(told?.context[0]?.text).toContain("````lua\n-- ```new\nM.one = 1");
  });

  it("send the editor's own data: selection, diagnostics, quickfix list", async () => {
    await using chat = await besideFile();
    await chat.nvim.lua(
      `local buf = vim.fn.bufnr("src/add.lua")
       vim.api.nvim_buf_set_mark(buf, "<", 2, 0, {})
       vim.api.nvim_buf_set_mark(buf, ">", 2, 3, {})
       vim.diagnostic.set(vim.api.nvim_create_namespace("t"), buf, {
         { lnum = 1, col = 2, message = "not\\n good", severity = 1, source = "lint" } })
       vim.fn.setqflist({ { bufnr = buf, lnum = 3, col = 1, text = "look" } })
       vim.fn.setreg("+", "from elsewhere")
       vim.g.clipboard = nil`,
    );
    const told = await sent(chat, "@selection @diagnostics @quickfix @buffer");
    expect(told?.context.map((context) => context.text)).toEqual([
      "src/add.lua line 2, as it is in the editor:\n\n```lua\nM.one = 1\n```",
      "Diagnostics of the editor:\n\n```\nsrc/add.lua:2:3: error: not good [lint]\n```",
      "The editor's quickfix list:\n\n```\nsrc/add.lua:3:1: look\n```",
      expect.stringContaining("return M\n```"),
    ]);
    expect(await chat.body()).toContain(
      "> **Context:** src/add.lua line 2 · 1 diagnostic · 1 quickfix entry · src/add.lua",
    );
  });

  it.each([
    "@param and @Injectable() and @app.route('/x.py') and @pytest.fixture",
    "@types/node, @scope/package@1.9.5, @v1.2.3 and the alias @/components/Button",
    "me@example.org, \\@src/gone.lua, `@gone.lua` and $HOME",
    "```\n@gone.lua\n```",
  ])("are not found in text that only looks like one: %s", async (text) => {
    await using chat = await besideFile();
    expect(await sent(chat, text)).toMatchObject({ text, context: [] });
  });

  it("send exactly the selection, from the buffer it was made in", async () => {
    await using chat = await besideFile();
    await chat.nvim.command("wincmd p");
    await chat.nvim.type("2Gfove<Esc>");
    await chat.nvim.command("wincmd p");
    const told = await sent(chat, "@selection");
    expect(told?.context[0]?.text).toBe(
      "src/add.lua line 2, columns 3–5, as it is in the editor:\n\n```lua\none\n```",
    );
  });

  it("show odd file names literally in the document", async () => {
    await using chat = await besideFile();
    const { cwd } = chat.nvim;
    await writeFile(join(cwd, "__init__.py"), "x\n");
    await writeFile(join(cwd, "a`b*.md"), "x\n");
    await sent(chat, '@__init__.py @"a`b*.md" @src');
    expect(await chat.body()).toContain("> **Context:** `__init__.py` · `` a`b*.md `` · src/");
  });

  it("send a file that is a picture as a picture", async () => {
    await using chat = await besideFile();
    expect((await sent(chat, "What is @dot.png?"))?.context).toEqual([
      { image: `data:image/png;base64,${PNG.toString("base64")}` },
    ]);
  });

  it("send diffs and pictures", async () => {
    await using chat = await besideFile();
    const { cwd } = chat.nvim;
    const git = (...args: string[]) =>
      execa("git", ["-c", "user.name=T", "-c", "user.email=t@example.org", ...args], { cwd });
    await git("init", "-q");
    await git("add", "src");
    await git("commit", "-qm", "first");
    await git("config", "diff.external", "touch ran");
    await git("config", "filter.bad.clean", "touch ran; cat");
    await git("config", "filter.bad.required", "true");
    await git("config", "diff.bad.textconv", "touch ran; cat");
    await git("config", "core.fsmonitor", "touch ran; false");
    await writeFile(join(cwd, ".gitattributes"), "* filter=bad diff=bad\n");
    await writeFile(join(cwd, "src/add.lua"), "return {}\n");
    const told = await sent(chat, "Judge @diff and @image:dot.png");
    expect(told?.context[0]?.text).toContain("-local M = {}");
    expect(told?.context[0]?.text).toContain("Untracked file: .gitattributes\n");
    expect(told?.context[1]).toEqual({ image: `data:image/png;base64,${PNG.toString("base64")}` });
    expect((await execa("ls", { cwd })).stdout).not.toContain("ran");
  });

  it.each([
    ["@src/add.lua#L4 @gone.lua#L1", "@gone.lua#L1: there is no gone.lua"],
    ["@src/add.lua#L3-L9", "@src/add.lua#L3-L9: src/add.lua has only 4 lines"],
    ["@src/add.lua#L0", "lines are counted from 1"],
    ["Look at @src/ad.lua.", "@src/ad.lua: there is no src/ad.lua in the project"],
    ["Look at @ad.lua", "@ad.lua: there is no ad.lua in the project"],
    ["@selecton", "did you mean @selection?"],
    ['@"gone one"', "there is no gone one"],
    ["@way-out", "is outside the project"],
    [`@${"../".repeat(20)}etc/passwd`, "is outside the project"],
    ["@/etc/passwd", "is outside the project"],
    ["@binary#L1", "is not text"],
    ["@binary", "is not text"],
    ["@pipe", "pipe is not a file"],
    ["@image:pipe", "cannot be read"],
    ["@image:src/add.lua", "is not a PNG"],
    ["@image:gone.png", "cannot be read"],
    ["@quickfix", "is empty"],
    ["@selection", "nothing was selected"],
    ["@diff", "git could not list"],
  ])("are refused before anything is sent if they cannot be resolved: %s", async (text, reason) => {
    await using chat = await besideFile();
    const before = await chat.body();
    await chat.nvim.lua(
      `local buf, text = ...
       vim.api.nvim_buf_set_lines(buf, -1, -1, false, { text })
       require("codex-chat.commands.query.send").send(require("codex-chat.registry").get(buf))`,
      chat.buf,
      text,
    );
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining(reason)]);
    expect(chat.host.of("turn/send")).toEqual([]);
    expect(await chat.body()).toEqual([...before, text]);
  });

  it("of diagnostics go along with a question", async () => {
    await using chat = await besideFile();
    await chat.nvim.lua(
      `vim.cmd("wincmd p")
       vim.diagnostic.set(vim.api.nvim_create_namespace("t"), 0, {
         { lnum = 1, end_lnum = 2, col = 2, message = "not good", severity = 1, source = "lint" } })
       vim.fn.cursor(3, 1)`,
    );
    await chat.nvim.command("CodexChat diagnostics Why?");
    expect(await chat.host.heard("turn/send")).toMatchObject({
      text: "In @src/add.lua#L2-L3:\n\n```\nsrc/add.lua:2:3: error: not good [lint]\n```\n\nWhy?",
      context: [{ text: "src/add.lua lines 2–3:\n\n```lua\nM.one = 1\nM.two = 2\n```" }],
    });
    await chat.nvim.lua("vim.fn.cursor(1, 1)");
    await chat.nvim.command("CodexChat diagnostics");
    expect(await said(chat)).toEqual([expect.stringContaining("no diagnostics on this line")]);
  });

  it("are completed with the project's files, except ignored ones", async () => {
    await using chat = await besideFile();
    const { cwd } = chat.nvim;
    await execa("git", ["init", "-q"], { cwd });
    await writeFile(join(cwd, ".gitignore"), "secret*\n");
    await writeFile(join(cwd, "secret.lua"), "");
    const words = async (typed: string) => {
      await chat.nvim.keys("<Esc>");
      await expect.poll(() => chat.nvim.mode()).toBe("n");
      await chat.nvim.lua("vim.api.nvim_buf_set_lines(..., -2, -1, false, { '' })", chat.buf);
      await chat.nvim.keys(`Gi${typed}`);
      return () =>
        chat.nvim.lua<string[]>(
          "return vim.tbl_map(function(it) return it.word end, vim.fn.complete_info({'items'}).items)",
        );
    };
    await expect.poll(await words("see @ad")).toEqual(["@src/add.lua"]);
    await expect.poll(await words("see @dia")).toContain("@diagnostics:project");
    await expect.poll(await words("see @file")).toEqual(['@"a file – é.txt"']);
    await expect.poll(await words("/comp")).toEqual(["/compact"]);
    await expect.poll(await words("/exp")).toEqual(["/explain"]);
    await expect.poll(await words("/trmnls")).toEqual(["/terminals"]);
    await expect.poll(await words("see @image:do")).toEqual(["@image:dot.png"]);
    await expect.poll(await words("me@ad")).toEqual([]);
    await expect.poll(await words("see @secret")).toEqual([]);
  });
});

describe.each(neovims)("completion plugins on Neovim $name", (program) => {
  it("get the same items, each in its own format, and only in the prompt", async () => {
    await using chat = await openChat({ program });
    const given = await chat.nvim.lua(
      `local buf = ...
       local got = {}
       local row = vim.api.nvim_buf_line_count(buf)
       local blink = require("codex-chat.blink").new()
       blink:get_completions(
         { line = "see @diagnostics: ä", cursor = { row, 17 }, bufnr = buf },
         function(answer) got.blink = answer.items end)
       blink:get_completions(
         { line = "see @dia", cursor = { 1, 8 }, bufnr = buf },
         function(answer) got.above = answer.items end)
       local cmp = require("codex-chat.cmp").new()
       cmp:complete(
         { context = { cursor_before_line = "/comp", bufnr = buf, cursor = { row = row } } },
         function(answer) got.cmp = answer.items end)
       local words = vim.regex("\\\\%(" .. cmp:get_keyword_pattern() .. "\\\\)\\\\m$")
       got.words = vim.tbl_map(function(line)
         local from = words:match_str(line)
         return from and line:sub(from + 1) or ""
       end, { "see @src/a-b.ts", 'see @"a b', "/skill:x", "me and", 'an @image:"a b' })
       got.row = row
       return got`,
      chat.buf,
    );
    const { row, ...rest } = given as { row: number };
    const edit = (newText: string, from: number, to: number) => ({
      newText,
      range: {
        start: { line: row - 1, character: from },
        end: { line: row - 1, character: to },
      },
    });
    expect(rest).toEqual({
      above: [],
      words: ["@src/a-b.ts", '@"a b', "/skill:x", "", '@image:"a b'],
      blink: [
        {
          label: "@diagnostics:project",
          labelDetails: { description: "of all open files" },
          filterText: "@diagnostics:",
          sortText: "0001",
          kind: 14,
          textEdit: edit("@diagnostics:project", 4, 17),
        },
      ],
      cmp: [
        {
          label: "/compact",
          labelDetails: { description: "summarizes what Codex remembers" },
          filterText: "/comp",
          sortText: "0001",
          kind: 14,
          textEdit: edit("/compact", 0, 5),
        },
      ],
    });
  });
});
