import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type Neovim, neovims, repository, startNeovim } from "../../support/neovim.ts";

/** A conversation of `rounds` queries, each answered with prose, a command's output and code. */
function conversation(rounds: number): string {
  const parts = ["---", "codex-chat: 1", "---", ""];
  for (let n = 0; n < rounds; n += 1) {
    parts.push("## You", "", `Query ${n}`, "", "## Codex", "", `Answer ${n} with **words**.`, "");
    parts.push(
      "**Ran** `ls` · exit 0",
      "```console output",
      ...Array<string>(20).fill("## You"),
      "```",
      "",
    );
    parts.push("```lua", ...Array<string>(12).fill("print(1)"), "```", "");
  }
  return [...parts, "## You", ""].join("\n");
}

describe.each(neovims)("a conversation of 50,000 lines on Neovim $name", (program) => {
  it("opens at its prompt, accepts text there and sends it", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.keys("<Esc>");
    await mkdir(dirname(chat.path), { recursive: true });
    const text = conversation(1100);
    expect(text.split("\n").length).toBeGreaterThan(50_000);
    await writeFile(chat.path, `${text}\n`);
    await using again = await startNeovim({
      program,
      home: nvim.home,
      cwd: nvim.cwd,
      config: { host_cmd: host.command },
      screen: { columns: 120, rows: 30 },
    });
    await again.command("CodexChat");
    await host.heard("chat/open", 2);
    await again.untilShown("Ask Codex");
    expect(await again.lines()).toEqual(text.split("\n"));
    const [row] = await again.cursor();
    expect(row).toBe(text.split("\n").length);
    await again.keys("and now?<C-s>");
    const { buf, id } = await host.heard("turn/send");
    await host.editor.call.buf_set_edits(buf, [
      { op: "insert", id: "a", after: id, lines: ["## Codex", "", "goes on"], gap: 1 },
    ]);
    expect((await again.lines()).slice(-10)).toEqual([
      "## You",
      "",
      "and now?",
      "",
      "## Codex",
      "",
      "goes on",
      "",
      "## You",
      "",
    ]);
  });
});

describe.each(neovims)("a session with a conversation on Neovim $name", (program) => {
  const mapped = "vim.fn.maparg('<CR>', 'n') == '<Plug>(codex-chat-follow-or-send)'";
  const names =
    "return vim.tbl_map(function(w) return vim.fs.basename(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(w))) end, vim.api.nvim_list_wins())";

  /** A session of a code window and two of a conversation with one answer, left again. */
  async function left(config: Record<string, unknown> = {}, options = "") {
    const chat = await openChat({ program, config });
    const { nvim, path } = chat;
    await chat.send("remember me");
    await nvim.keys("<Esc>");
    await nvim.command("write");
    await nvim.until("vim.uv.fs_stat(...) ~= nil".replace("...", `[[${path}]]`));
    await nvim.command("split");
    await nvim.command(`set sessionoptions^=${options}`);
    await nvim.command("mksession! s.vim");
    const text = conversation(1);
    await writeFile(path, `${text}\n`);
    return { chat, path, lines: text.split("\n") };
  }

  /** Opens the session where the plugin is not loaded. */
  const restored = ({ nvim, host }: OpenChat) =>
    startNeovim({
      program,
      home: nvim.home,
      cwd: nvim.cwd,
      config: { host_cmd: host.command },
      args: ["-S", "s.vim"],
      bare: true,
    });

  /** Loads the plugin late, as a plugin manager does for a command. */
  async function load(nvim: Neovim): Promise<void> {
    await nvim.lua("vim.opt.rtp:prepend(...)", repository);
    await nvim.command("runtime plugin/codex-chat.lua");
  }

  /** Sees to it that it is a chat with its whole text, the cursor in the prompt, and typed into. */
  async function isWhole(nvim: Neovim, path: string, lines: readonly string[]): Promise<void> {
    expect(await nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(path);
    expect(await nvim.lines()).toEqual(lines);
    expect((await nvim.cursor())[0]).toBe(lines.length);
    expect(await nvim.lua("return { vim.bo.filetype, vim.bo.buftype }")).toEqual([
      "codexchat",
      "acwrite",
    ]);
    expect(await nvim.lua(`return ${mapped}`)).toBe(true);
    await nvim.type("<Esc>Ax<Esc>");
    await nvim.command("write");
    await expect
      .poll(() => readFile(path, "utf8"))
      .toBe(`${[...lines.slice(0, -1), `${lines.at(-1)}x`].join("\n")}\n`);
    expect(await nvim.messages()).not.toMatch(/E\d+:|rror/);
  }

  it.each(["", "options,localoptions", "options,blank,buffers,curdir,folds,help"])(
    "restores it completely when :CodexChat loads the plugin after the session (sessionoptions^=%s)",
    async (options) => {
      const { chat, path, lines } = await left({}, options);
      await using _chat = chat;
      await using nvim = await restored(chat);
      expect(await nvim.lua(names)).toEqual(["", basename(path), basename(path)]);
      expect(await nvim.messages()).toBe("");
      await nvim.command("wincmd t");
      await load(nvim);
      await nvim.command("CodexChat");
      await isWhole(nvim, path, lines);
    },
  );

  it.each([
    ["setup{ state_dir }", 'require("codex-chat").setup(%)', { state_dir: "$HOME/else where" }],
    ["setup{ history_dir }", 'require("codex-chat").setup(%)', { history_dir: "notes" }],
    ["g:codex_chat.state_dir", "vim.g.codex_chat = %", { state_dir: "~/elsewhere" }],
    ["an odd state_dir", "vim.g.codex_chat = %", { state_dir: "~/no//../else/./where/" }],
    ["g:codex_chat.history_dir", "vim.g.codex_chat = %", { history_dir: "notes" }],
  ])("restores it completely in every window with %s", async (_name, set, config) => {
    const { chat, path, lines } = await left(config);
    await using _chat = chat;
    const settings = JSON.stringify({ ...config, host_cmd: chat.host.command });
    const lua = set.replace("%", `vim.json.decode([[${settings}]])`);
    await using nvim = await startNeovim({
      program,
      home: chat.nvim.home,
      cwd: chat.nvim.cwd,
      args: ["-c", `lua ${lua}`, "-S", "s.vim"],
    });
    await nvim.until("vim.bo.filetype", "codexchat");
    expect(await nvim.lua(names)).toEqual(["", basename(path), basename(path)]);
    for (const win of [2, 3]) {
      await nvim.command(`${win}wincmd w`);
      expect((await nvim.cursor())[0]).toBe(lines.length);
    }
    await isWhole(nvim, path, lines);
  });

  it("puts text typed into the empty buffer into the prompt, below the conversation", async () => {
    const { chat, path, lines } = await left();
    await using _chat = chat;
    await using nvim = await restored(chat);
    await nvim.type("ityped too early<Esc>");
    await load(nvim);
    await nvim.command("CodexChat");
    await isWhole(nvim, path, [...lines.slice(0, -1), "", "typed too early"]);
  });

  it("starts a new conversation without an error if the file is gone", async () => {
    const { chat, path } = await left();
    await using _chat = chat;
    await rm(path);
    await using nvim = await restored(chat);
    await load(nvim);
    await nvim.command("CodexChat");
    expect(await nvim.lua("return vim.bo.filetype")).toBe("codexchat");
    expect((await nvim.lines()).slice(0, 2)).toEqual(["---", "codex-chat: 1"]);
    expect((await nvim.lines()).slice(-2)).toEqual(["## You", ""]);
    expect(await nvim.messages()).not.toMatch(/E\d+:|rror/);
  });

  it("does not turn another file in the same directory into a conversation", async () => {
    const { chat, path } = await left({ history_dir: "notes" });
    await using _chat = chat;
    const other = join(dirname(path), "shopping.md");
    await writeFile(other, "- milk\n");
    await using nvim = await startNeovim({
      program,
      home: chat.nvim.home,
      cwd: chat.nvim.cwd,
      config: { host_cmd: chat.host.command, history_dir: "notes" },
      args: [other],
    });
    await nvim.command("edit");
    expect(await nvim.lua("return { vim.bo.filetype, vim.bo.buftype }")).toEqual(["markdown", ""]);
  });
});
