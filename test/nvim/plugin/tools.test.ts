import { mkdir, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

type Answer = { readonly ok: boolean; readonly text: string };

/** Calls a tool as the host does. */
async function ask(chat: OpenChat, tool: string, args: object = {}): Promise<Answer> {
  const { host, buf } = chat;
  const before = host.of("tool/answer").length;
  const id = `t${before}`;
  await host.editor.call.tool_run(buf, { id, tool, arguments: args });
  const answer = await host.heard("tool/answer", before + 1);
  expect(answer.id).toBe(id);
  return { ok: answer.ok, text: answer.text };
}

const told = (text: string): Answer => ({ ok: true, text });
const refused = (text: unknown): unknown => ({ ok: false, text });

/** The project's root of an open chat. */
const rootOf = (chat: OpenChat) => chat.host.of("chat/open")[0]?.root ?? "";

/** Opens a file of the project in the window beside the chat, and goes back. */
async function edit(chat: OpenChat, path: string, lines?: readonly string[]): Promise<string> {
  const full = join(rootOf(chat), path);
  await mkdir(dirname(full), { recursive: true });
  if (lines !== undefined) await writeFile(full, `${lines.join("\n")}\n`);
  await chat.nvim.lua(
    `vim.cmd.stopinsert()
     local win = vim.api.nvim_get_current_win()
     vim.cmd("wincmd p")
     vim.cmd.edit(vim.fn.fnameescape(...))
     vim.api.nvim_set_current_win(win)`,
    full,
  );
  return full;
}

const setLines = (chat: OpenChat, path: string, ...lines: string[]) =>
  chat.nvim.lua(
    "local path, lines = ... vim.api.nvim_buf_set_lines(vim.fn.bufnr(path), 0, -1, false, lines)",
    path,
    lines,
  );

/** A language server within Neovim that answers from a table. */
const TINY = `
  local root, answers, encoding = ...
  _G.asked, _G.cancelled = {}, 0
  local function start(name)
    return vim.lsp.start({
      name = name, root_dir = root,
      cmd = function()
        local closing = false
        local function request(method, params, callback)
          if method == "initialize" then
            callback(nil, { capabilities = {
              positionEncoding = encoding, hoverProvider = true, definitionProvider = true,
              referencesProvider = true, documentSymbolProvider = true, workspaceSymbolProvider = true } })
          elseif method == "shutdown" then
            callback(nil, nil)
          else
            table.insert(_G.asked, { method = method, params = params })
            local answer = answers[method]
            if answer == nil then callback(nil, nil)
            elseif answer == "error" then callback({ code = -32603, message = "it\\nbroke" }, nil)
            elseif answer ~= "silence" then callback(nil, answer) end
          end
          return true, #_G.asked
        end
        return {
          request = request,
          notify = function(method)
            if method == "$/cancelRequest" then _G.cancelled = _G.cancelled + 1 end
            return true
          end,
          is_closing = function() return closing end,
          terminate = function() closing = true end,
        }
      end,
    }, { bufnr = vim.fn.bufnr(root .. "/src/a.lua") })
  end
  start("tiny")
`;

async function withServer(chat: OpenChat, answers: object, encoding = "utf-16"): Promise<void> {
  await edit(chat, "src/a.lua", ["local äöü, add = 1", "return add(äöü)"]);
  await chat.nvim.lua(TINY, rootOf(chat), answers, encoding);
  await chat.nvim.until(`#vim.lsp.get_clients({ method = "textDocument/hover" })`, 1);
}

const range = (line: number) => ({
  start: { line, character: 0 },
  end: { line, character: 3 },
});

describe.each(neovims)("an editor tool on Neovim $name", (program) => {
  it("lists the project's open files, and reads them as they are in the editor", async () => {
    await using chat = await openChat({ program });
    await edit(chat, "b.txt", ["saved"]);
    const a = await edit(chat, "a b.txt", ["one", "two", "three"]);
    await setLines(chat, a, "one", "2", "three", "four");
    expect(await ask(chat, "open_buffers")).toEqual(
      told("a b.txt (4 lines, with unsaved changes, in view)\nb.txt (1 lines)"),
    );
    const read = (args: object) => ask(chat, "read_buffer", { path: "a b.txt", ...args });
    expect(await read({})).toEqual(told("one\n2\nthree\nfour"));
    expect(await read({ first: 2, last: 3 })).toEqual(told("2\nthree"));
    expect(await read({ first: null, last: null })).toEqual(told("one\n2\nthree\nfour"));
    expect(await read({ path: a, first: 4, last: 900 })).toEqual(told("four"));
    expect(await read({ path: "./a b.txt", first: -3, last: "1" })).toEqual(told("one"));
    expect(await read({ first: 90 })).toEqual(told(""));
    expect(await read({ first: "x", last: {} })).toEqual(told("one\n2\nthree\nfour"));
    expect(await read({ path: "c.txt" })).toEqual(refused(expect.stringContaining("not open")));
    expect(await read({ path: { a: 1 } })).toEqual(refused("path is needed"));
  });

  it("returns no more than its limit, and cuts no character in half", async () => {
    await using chat = await openChat({ program });
    const a = await edit(chat, "a.txt", ["x"]);
    await setLines(chat, a, `a${"ä".repeat(40_000)}`);
    const long = await ask(chat, "read_buffer", { path: "a.txt" });
    expect(long.text).toMatch(/^aä{29999}\n\[… cut here: ask for less …\]$/);
    await chat.nvim.lua(
      `local lines = {} for n = 1, 300000 do lines[n] = "line " .. n end
       vim.api.nvim_buf_set_lines(vim.fn.bufnr(...), 0, -1, false, lines)`,
      a,
    );
    const { text } = await ask(chat, "read_buffer", { path: "a.txt", first: 200_000 });
    expect(text.startsWith("line 200000\nline 200001\n")).toBe(true);
    expect(text.length).toBeLessThan(60_100);
  });

  it("returns something even for a buffer that is not text", async () => {
    await using chat = await openChat({ program });
    await edit(chat, "a.txt", ["x"]);
    await chat.nvim.lua(
      `vim.api.nvim_buf_set_lines(vim.fn.bufnr("a.txt"), 0, -1, false, { "a\\255b\\0" })`,
    );
    expect(await ask(chat, "read_buffer", { path: "a.txt" })).toMatchObject({ ok: true });
  });

  it("returns the cursor and the selection, counted in characters", async () => {
    await using chat = await openChat({ program });
    expect(await ask(chat, "cursor")).toEqual(told("The user is in no file of the project."));
    await edit(chat, "a.txt", ["äöü one", "two ß", "three"]);
    await chat.nvim.until("vim.fn.mode()", "n");
    await chat.nvim.lua(`vim.cmd("wincmd p") vim.api.nvim_win_set_cursor(0, { 1, 4 })`);
    await chat.nvim.keys("vj<Esc>");
    await chat.nvim.until("vim.fn.mode()", "n");
    await chat.nvim.lua(`vim.api.nvim_win_set_cursor(0, { 1, 6 }) vim.cmd("wincmd p")`);
    expect(await ask(chat, "cursor")).toEqual(
      told("a.txt:1:4\näöü one\nSelected last, in lines 1 to 2:\nü one\ntwo"),
    );
    await chat.nvim.lua(`vim.cmd("wincmd p")`);
    await chat.nvim.keys("ggVj<Esc>");
    await chat.nvim.until("vim.fn.mode()", "n");
    expect((await ask(chat, "cursor")).text).toContain("lines 1 to 2:\näöü one\ntwo ß");
  });

  it("returns diagnostics and the quickfix list, of the project only", async () => {
    await using chat = await openChat({ program });
    expect(await ask(chat, "diagnostics")).toEqual(told("There are no diagnostics."));
    expect(await ask(chat, "quickfix")).toEqual(
      told("The quickfix list has no entry of the project."),
    );
    await edit(chat, "a.txt", ["one", "two"]);
    await edit(chat, "../outside.txt", ["canary"]);
    await chat.nvim.lua(
      `local ns = vim.api.nvim_create_namespace("t")
       for _, name in ipairs({ "a.txt", "outside.txt" }) do
         vim.diagnostic.set(ns, vim.fn.bufnr(name), {
           { lnum = 1, col = 0, message = "wrong\\nof " .. name, severity = 1, source = "t" } })
         vim.fn.setqflist({ { bufnr = vim.fn.bufnr(name), lnum = 2, text = "see " .. name } }, "a")
       end
       vim.fn.setqflist({ { text = "canary" } }, "a")`,
    );
    const found = told("a.txt:2:1: error: wrong of a.txt [t]");
    expect(await ask(chat, "diagnostics")).toEqual(found);
    expect(await ask(chat, "diagnostics", { path: null })).toEqual(found);
    expect(await ask(chat, "diagnostics", { path: "a.txt" })).toEqual(found);
    expect(await ask(chat, "diagnostics", { path: "../outside.txt" })).toMatchObject({ ok: false });
    expect(await ask(chat, "quickfix")).toEqual(told("a.txt:2:0: see a.txt"));
  });

  it("queries language servers by column or word, in the server's own position encoding", async () => {
    for (const [encoding, character] of [
      ["utf-16", 11],
      ["utf-8", 14],
      ["utf-32", 11],
    ] as const) {
      await using chat = await openChat({ program });
      const definition = { uri: `file://${rootOf(chat)}/src/a.lua`, range: range(0) };
      await withServer(chat, { "textDocument/definition": [definition] }, encoding);
      const at = { action: "definition", path: "src/a.lua", line: 1 };
      expect(await ask(chat, "lsp", { ...at, symbol: "add" })).toEqual(told("src/a.lua:1"));
      expect(await ask(chat, "lsp", { ...at, column: 12 })).toEqual(told("src/a.lua:1"));
      const asked = await chat.nvim.lua(
        "return vim.tbl_map(function(it) return it.params.position end, _G.asked)",
      );
      expect(asked).toEqual([
        { line: 0, character },
        { line: 0, character },
      ]);
    }
  });

  it("returns places, documentation and symbols, and only names what is outside", async () => {
    await using chat = await openChat({ program });
    const uri = `file://${rootOf(chat)}/src/a.lua`;
    await withServer(chat, {
      "textDocument/references": [
        { uri, range: range(0) },
        { uri: "file:///usr/lib/other.lua", range: range(4) },
        { uri: "odd uri", range: range(1) },
      ],
      "textDocument/hover": { contents: { kind: "markdown", value: "**add**\nAdds." } },
      "textDocument/documentSymbol": [
        {
          name: "M",
          kind: 2,
          range: range(0),
          selectionRange: range(0),
          children: [{ name: "add\nevil", kind: 12, range: range(1), selectionRange: range(1) }],
        },
      ],
      "workspace/symbol": [{ name: "add", kind: 12, location: { uri, range: range(1) } }],
    });
    const lsp = (action: string, args: object = {}) =>
      ask(chat, "lsp", { action, path: "src/a.lua", ...args });
    const { text } = await lsp("references", { line: 2, symbol: "add" });
    expect(text.split("\n").slice(0, 2)).toEqual(["src/a.lua:1", "/usr/lib/other.lua:5"]);
    expect(await lsp("hover")).toEqual(told("**add**\nAdds."));
    expect(await lsp("symbols")).toEqual(told("line 1: module M\n  line 2: function add evil"));
    expect(await ask(chat, "lsp", { action: "workspace_symbols", query: "add" })).toEqual(
      told("src/a.lua:2 function add"),
    );
    expect(await lsp("definition")).toEqual(told("The language server found nothing."));
    expect(await lsp("hover", { line: 99 })).toEqual(refused("the file has no line 99"));
    expect(await lsp("hover", { line: 1, symbol: "nope" })).toEqual(
      refused("line 1 does not have nope"),
    );
    expect(await lsp("rename")).toEqual(refused(expect.stringContaining("must be one of")));
    expect(await ask(chat, "lsp", { action: "hover" })).toEqual(refused("path is needed"));
  });

  it("reports that a server failed or took too long, and does not query it again", async () => {
    await using chat = await openChat({ program });
    await withServer(chat, {
      "textDocument/hover": "silence",
      "textDocument/definition": "error",
      "textDocument/references": 7,
      "workspace/symbol": [{ name: 3, location: 4 }, 5, { uri: 1, range: "x" }],
    });
    await chat.nvim.lua("require('codex-chat.tools.lsp').timeout_ms = 50");
    const lsp = (action: string) => ask(chat, "lsp", { action, path: "src/a.lua" });
    expect(await lsp("hover")).toEqual(refused(expect.stringContaining("did not answer within")));
    expect(await chat.nvim.lua("return _G.cancelled")).toBe(1);
    expect(await lsp("definition")).toEqual(refused("the language server says: it broke"));
    expect(await lsp("references")).toEqual(told("The language server found nothing."));
    expect(await lsp("workspace_symbols")).toMatchObject({ ok: true });
    await edit(chat, "b.txt", ["x"]);
    expect(await ask(chat, "lsp", { action: "hover", path: "b.txt" })).toEqual(
      refused("no language server answers that for this file"),
    );
  });

  it("does not answer if switched off or unknown", async () => {
    await using chat = await openChat({
      program,
      config: { editor_tools: { buffers: false, lsp: false } },
    });
    await edit(chat, "a.txt", ["x"]);
    for (const tool of ["open_buffers", "read_buffer", "lsp", "run", "", "module", "__index"])
      expect(await ask(chat, tool, { path: "a.txt" })).toEqual(
        refused(expect.stringContaining("no tool")),
      );
    expect(await ask(chat, "cursor")).toMatchObject({ ok: true });
  });

  it.each([
    ["a file outside", "../outside.txt"],
    ["git's configuration", ".git/config"],
    ["a secret", ".env"],
    ["a secret in another case", "sub/.ENV.local"],
  ])("shows nothing of %s", async (_, path) => {
    await using chat = await openChat({ program });
    await edit(chat, path, ["canary"]);
    expect(await ask(chat, "open_buffers")).toEqual(told("No file of the project is open."));
    for (const name of [path, join(rootOf(chat), path), `x/../${path}`])
      expect(await ask(chat, "read_buffer", { path: name })).toMatchObject({ ok: false });
    await chat.nvim.lua(`vim.cmd("wincmd p")`);
    expect((await ask(chat, "cursor")).text).not.toContain("canary");
  });

  it("shows neither terminals and special buffers nor those without a file", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.lua(
      `local root = ...
       local function buffer(name, type)
         local buf = vim.api.nvim_create_buf(true, false)
         vim.api.nvim_buf_set_lines(buf, 0, -1, false, { "canary" })
         if name then vim.api.nvim_buf_set_name(buf, root .. "/" .. name) end
         vim.bo[buf].buftype = type
       end
       buffer("x.txt", "nofile") buffer("y.txt", "acwrite") buffer("z.txt", "help") buffer(nil, "")`,
      rootOf(chat),
    );
    expect(await ask(chat, "open_buffers")).toEqual(told("No file of the project is open."));
    for (const path of ["x.txt", "y.txt", "z.txt", ""])
      expect(await ask(chat, "read_buffer", { path })).toMatchObject({ ok: false });
  });

  it("shows nothing behind a symlink that leads out, whatever happens to the symlink", async () => {
    await using chat = await openChat({ program });
    const root = rootOf(chat);
    const secret = join(root, "..", "secret.txt");
    await writeFile(secret, "canary\n");
    await symlink(secret, join(root, "notes.txt"));
    await edit(chat, "notes.txt");
    const read = () => ask(chat, "read_buffer", { path: "notes.txt" });
    expect(await read()).toMatchObject({ ok: false });
    await unlink(join(root, "notes.txt"));
    await writeFile(join(root, "other.txt"), "harmless\n");
    await rename(join(root, "other.txt"), join(root, "notes.txt"));
    expect(await read()).toMatchObject({ ok: false });
    expect(await ask(chat, "open_buffers")).toEqual(told("No file of the project is open."));
  });

  it("reports with a query which files have unsaved changes", async () => {
    await using chat = await openChat({ program });
    await edit(chat, "b.txt", ["x"]);
    const a = await edit(chat, "a.txt", ["x"]);
    const env = await edit(chat, ".env", ["x"]);
    await setLines(chat, a, "y");
    await setLines(chat, env, "y");
    await chat.send("go on");
    expect((await chat.host.heard("turn/send")).unsaved).toEqual(["a.txt"]);
  });
});
