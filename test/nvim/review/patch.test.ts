import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type NeovimOptions, neovims } from "../../support/neovim.ts";
import type { ActionReply } from "../../support/test-host.ts";

/** A file of a patch: what it holds, and what it is to hold. */
type Proposed = {
  readonly before?: string;
  readonly after?: string;
  readonly old?: string;
  readonly why?: string;
};

type Edit = { readonly path: string; readonly old?: string; readonly text?: string };

/** The tab page's windows, without those that float. */
const WINDOWS = `vim.tbl_filter(function(win)
  return vim.api.nvim_win_get_config(win).relative == ""
end, vim.api.nvim_tabpage_list_wins(0))`;

/** The texts of listed buffers that Neovim would ask about. */
const UNSAVED = `vim.tbl_map(function(info)
  return vim.api.nvim_buf_get_lines(info.bufnr, 0, -1, false)
end, vim.fn.getbufinfo({ bufmodified = 1, buflisted = 1 }))`;

/** The names of the view's buffers. */
const OWN = `vim.tbl_filter(function(name)
  return vim.startswith(name, "codex-chat://")
end, vim.tbl_map(vim.api.nvim_buf_get_name, vim.api.nvim_list_bufs()))`;

/** An open chat in which a patch waits. */
class Asked implements AsyncDisposable {
  readonly chat: OpenChat;
  fixed: string | undefined;
  /** What the host answers to a patch that the user has changed. */
  reply: ActionReply = { ok: true, value: { files: [], conflicts: [] } };
  /** The patches that the user has changed, each as the bytes of its files. */
  readonly applied: Readonly<Record<string, string | undefined>>[] = [];
  shown = 0;
  readonly #files: Readonly<Record<string, Proposed>>;

  private constructor(chat: OpenChat, files: Readonly<Record<string, Proposed>>) {
    this.chat = chat;
    this.#files = files;
  }

  static async open(options: NeovimOptions, files: Readonly<Record<string, Proposed>>) {
    const chat = await openChat({ screen: { columns: 160, rows: 40 }, ...options });
    const asked = new Asked(chat, files);
    chat.host.action = (name, params) => asked.#answer(name, params);
    const user = await chat.send("go on");
    await chat.edit(
      { op: "insert", id: "heading", after: user, lines: ["## Codex"], gap: 1 },
      { op: "insert", id: "q1", after: "heading", lines: ["**Asks** to edit `a.txt`"], gap: 1 },
    );
    await chat.host.editor.call.buf_set_approval(chat.buf, {
      ...{ id: "q1", block: "q1", kind: "patch", diff: true },
      choices: ["accept", "accept_session", "decline", "cancel"],
    });
    await chat.nvim.keys("<Esc>");
    await chat.nvim.lua("vim.fn.search('^[*][*]Asks', 'w')");
    return asked;
  }

  get nvim() {
    return this.chat.nvim;
  }

  /** Presses the key of the question, and waits for the diff. */
  async look(): Promise<void> {
    await this.nvim.keys("e");
    await this.nvim.until("#vim.api.nvim_list_tabpages()", 2);
  }

  /** The host says that the question is over. */
  async end(): Promise<void> {
    await this.chat.host.editor.call.buf_set_approval(this.chat.buf, { id: "q1", remove: true });
  }

  /** The text of the left and of the right window. */
  sides(): Promise<unknown> {
    return this.nvim.lua(`return vim.tbl_map(function(win)
      return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(win), 0, -1, false)
    end, ${WINDOWS})`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.chat[Symbol.asyncDispose]();
  }

  #path(name: string): string {
    return join(this.nvim.cwd, name);
  }

  #put(text: string): string {
    const name = createHash("sha256").update(text, "latin1").digest("hex");
    const path = join(this.nvim.home, name);
    writeFileSync(path, Buffer.from(text, "latin1"));
    return path;
  }

  #answer(name: string, params: Readonly<Record<string, unknown>>): ActionReply {
    if (name === "patch/apply") {
      const { files } = params as { files: Edit[] };
      const text = (edit: Edit) =>
        edit.text === undefined ? undefined : Buffer.from(edit.text, "base64").toString("latin1");
      this.applied.push(
        Object.fromEntries(
          files.map((edit) => [edit.path.slice(this.nvim.cwd.length + 1), text(edit)]),
        ),
      );
      return this.reply;
    }
    if (name !== "patch/show") return { ok: false, message: `nothing answers ${name}` };
    this.shown += 1;
    const files = Object.entries(this.#files).map(([file, { before, after, old, why }]) => ({
      path: this.#path(file),
      ...(old === undefined ? {} : { old: this.#path(old) }),
      change:
        old !== undefined
          ? "renamed"
          : before === undefined
            ? "created"
            : after === undefined && why === undefined
              ? "deleted"
              : "changed",
      ...(before === undefined ? {} : { before: this.#put(before) }),
      ...(after === undefined ? {} : { after: this.#put(after) }),
      ...(why === undefined ? {} : { why }),
    }));
    const { fixed } = this;
    const names = { left: "0".repeat(40), proposed: "1".repeat(40) };
    return { ok: true, value: { ...names, files, ...(fixed === undefined ? {} : { fixed }) } };
  }
}

const ONE = { "a.lua": { before: "one\ntwo\nthree\n", after: "one\nTWO\nthree\n" } };

const ORIGINAL = ["one", "two", "three"];

describe.each(neovims)("a patch that waits, on Neovim $name", (program) => {
  it("is shown as a diff by a key of its question", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim } = asked;
    await nvim.untilShown(" e  see and edit as a diff    a  once");
    await asked.look();
    expect(await asked.sides()).toEqual([
      ["one", "two", "three"],
      ["one", "TWO", "three"],
    ]);
    expect(
      await nvim.lua(`return vim.tbl_map(function(win)
        local buf = vim.api.nvim_win_get_buf(win)
        return { vim.wo[win].diff, vim.bo[buf].modifiable, vim.bo[buf].filetype, vim.bo[buf].modified }
      end, ${WINDOWS})`),
    ).toEqual([
      [true, false, "lua", false],
      [true, true, "lua", false],
    ]);
    expect(await nvim.lua("return vim.api.nvim_win_get_cursor(0)")).toEqual([2, 0]);
    await nvim.untilShown("patch a.lua · as proposed");
    await nvim.untilShown("gy accept  gB leave out  q back");
  });

  it("shows its state and a key in 80 columns as well", async () => {
    const screen = { columns: 80, rows: 24 };
    const name = "a/path/that/takes/all/of/the/room/there/is.lua";
    await using asked = await Asked.open({ program, screen }, { [name]: ONE["a.lua"], ...ONE });
    await asked.look();
    await asked.nvim.untilShown(/ patch 1 of 2 · as proposed +gy accept/);
    await asked.nvim.keys("ccmine<Esc>");
    await asked.nvim.untilShown(/ patch 1 of 2 · edited by you +gy accept/);
  });

  it("is accepted as Codex wrote it if the user has changed nothing", async () => {
    await using asked = await Asked.open({ program }, ONE);
    await asked.look();
    await asked.nvim.keys("ccx<Esc>u");
    await asked.nvim.keys("gy");
    expect(await asked.chat.host.heard("approval/answer")).toMatchObject({ decision: "accept" });
    await asked.end();
    await asked.nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(asked.applied).toEqual([]);
  });

  it("is applied as the user has changed it, and not answered by Lua", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim } = asked;
    await nvim.lua(`answered = {}
      require("codex-chat").on("ApprovalAnswered", function(data) table.insert(answered, data.decision) end)`);
    await asked.look();
    await nvim.keys("ccmine<Esc>");
    await nvim.untilShown("edited by you");
    await nvim.keys("gy");
    await expect.poll(() => asked.applied).toEqual([{ "a.lua": "one\nmine\nthree\n" }]);
    await asked.end();
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(await nvim.lua("return answered")).toEqual(["edited"]);
    expect(asked.chat.host.of("approval/answer")).toEqual([]);
    expect(await nvim.lua(`return ${UNSAVED}`)).toEqual([]);
  });

  it.each([
    ["lines that end in a carriage return", "a\r\nb\r\n", "x\r\nb\r\n"],
    ["the same without an end", "a\r\nb", "x\r\nb"],
    ["mixed ends", "a\r\nb\n", "x\nb\n"],
    ["no end", "a\nb", "x\nb"],
    ["one line without an end", "a", "x"],
    ["a byte order mark", "\xef\xbb\xbfa\n", "\xef\xbb\xbfx\n"],
    ["no line", "", "x\n"],
    ["an empty line", "\n", "x\n"],
    ["letters beyond ASCII", "a\n\xc3\xbc\n", "x\n\xc3\xbc\n"],
  ])("keeps %s, byte for byte", async (_, after, changed) => {
    await using asked = await Asked.open({ program }, { "a.txt": { before: "?\n", after } });
    asked.reply = { ok: false, message: "Not now." };
    await asked.look();
    await asked.nvim.keys("gg0Cx<Esc>");
    await asked.nvim.keys("gy");
    await expect.poll(() => asked.applied).toEqual([{ "a.txt": changed }]);
    await asked.nvim.untilShown("Not now.");
    await asked.nvim.keys("ugy");
    expect(await asked.chat.host.heard("approval/answer")).toMatchObject({ decision: "accept" });
  });

  it("keeps what was written while the user looks at the question again", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim, chat } = asked;
    await asked.look();
    await nvim.keys("ccmine<Esc>");
    await nvim.command("write");
    await nvim.untilShown("kept with the question");
    await nvim.keys("q");
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(await nvim.lua("return vim.api.nvim_get_current_buf()")).toBe(chat.buf);
    await nvim.untilShown(" a  as edited");
    expect(await nvim.lua("return { vim.wo.diff, vim.o.scrollopt }")).toEqual([false, "ver,jump"]);
    // Neovim asks before it quits.
    await nvim.command("silent! qall");
    expect(await nvim.lines()).toEqual(["one", "mine", "three"]);
    // Neovim shows it in the current window.
    await nvim.keys("gB");
    await nvim.command(`buffer ${chat.buf}`);
    await nvim.command("CodexChat patch");
    await nvim.untilShown("a.lua · stays as it is");
    await nvim.keys("gB");
    expect(await asked.sides()).toEqual([ORIGINAL, ["one", "mine", "three"]]);
    expect(asked.shown).toBe(1);
    await nvim.command("tabclose");
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    await nvim.lua("vim.fn.search('^[*][*]Asks', 'w')");
    await nvim.keys("s");
    await nvim.untilShown("accept it once");
    expect(chat.host.of("approval/answer")).toEqual([]);
    await nvim.keys("a");
    await expect.poll(() => asked.applied).toEqual([{ "a.lua": "one\nmine\nthree\n" }]);
    expect(chat.host.of("approval/answer")).toEqual([]);
  });

  it("is read again if the user has written nothing", async () => {
    await using asked = await Asked.open({ program }, ONE);
    await asked.look();
    await asked.nvim.keys("q");
    await asked.nvim.until("#vim.api.nvim_list_tabpages()", 1);
    await asked.look();
    expect(asked.shown).toBe(2);
  });

  it("shows all its files, of which the user can leave some as they are", async () => {
    await using asked = await Asked.open(
      { program },
      {
        "a.txt": { before: "a\n", after: "A\n" },
        "new %#x.txt": { after: "new\n" },
        "gone.bin": { before: "\0" },
        "to.txt": { before: "1\n2\n", after: "1\n3\n", old: "from.txt" },
      },
    );
    const { nvim } = asked;
    await asked.look();
    await nvim.untilShown("1 of 4 · a.txt");
    await nvim.keys("]f");
    await nvim.untilShown("2 of 4 · new %#x.txt · new file");
    expect(await asked.sides()).toEqual([[""], ["new"]]);
    await nvim.keys("]f");
    await nvim.untilShown("3 of 4 · gone.bin · to be deleted");
    await nvim.keys("gB");
    await nvim.untilShown("stays as it is");
    await nvim.keys("]f");
    await nvim.untilShown("now from.txt");
    await nvim.keys("gb");
    await nvim.untilShown("4 of 4 · to.txt · edited by you");
    await nvim.keys("[f[f[f");
    await nvim.untilShown("1 of 4 · a.txt");
    await nvim.keys("gBgBgB");
    await nvim.keys("gy");
    await expect
      .poll(() => asked.applied)
      .toEqual([{ "a.txt": undefined, "gone.bin": undefined, "to.txt": "1\n2\n" }]);
  });

  it("stays as it is if the host could not apply it", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim } = asked;
    asked.reply = { ok: false, message: "Nothing was applied: a.lua was changed since." };
    await asked.look();
    await nvim.keys("ccmine<Esc>");
    await nvim.keys("gy");
    await nvim.untilShown("Nothing was applied");
    expect(await asked.sides()).toEqual([ORIGINAL, ["one", "mine", "three"]]);
    asked.reply = { ok: true, value: { files: [], conflicts: [] } };
    await nvim.keys("gy");
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(asked.applied).toHaveLength(2);
  });

  it.each(["open", "closed"])(
    "keeps the user's text in its buffer when the question ends, %s",
    async (how) => {
      await using asked = await Asked.open({ program }, ONE);
      const { nvim } = asked;
      await asked.look();
      await nvim.keys("ccmine<Esc>");
      if (how === "closed") await nvim.keys("q");
      await asked.end();
      await nvim.untilShown("without your changes");
      await nvim.command("silent! qall");
      expect(await nvim.lua(`return ${UNSAVED}`)).toEqual([["one", "mine", "three"]]);
      if (how === "open") await nvim.keys("gyq");
      await nvim.until("#vim.api.nvim_list_tabpages()", 1);
      expect(asked.applied).toEqual([]);
      expect(await nvim.lua(`return ${OWN}`)).toEqual(["codex-chat://patch/a.lua"]);
      expect(await nvim.lua(`return ${UNSAVED}`)).toEqual([["one", "mine", "three"]]);
    },
  );

  it("is left out of sessions", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim } = asked;
    const session = join(nvim.home, "session.vim");
    await nvim.lua(
      `local path = ...
      vim.api.nvim_create_autocmd("VimLeave", { callback = function() vim.cmd.mksession(path) end })`,
      session,
    );
    await asked.look();
    await nvim.keys(":qall<CR>");
    await nvim.exited;
    expect(readFileSync(session, "utf8")).not.toContain("codex-chat://");
  });

  it("closes with the question if the user has written nothing, and with the host", async () => {
    await using asked = await Asked.open({ program }, ONE);
    const { nvim, chat } = asked;
    await asked.look();
    chat.host.crash();
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(await nvim.lua(`return ${OWN}`)).toEqual([]);
  });

  it("can only be viewed if its text is not known", async () => {
    const files = { ...ONE, "b.bin": { before: "\0", why: "it is not text in UTF-8" } };
    await using asked = await Asked.open({ program, screen: { columns: 240, rows: 30 } }, files);
    const { nvim } = asked;
    asked.fixed = "b.bin: it is not text in UTF-8";
    await asked.look();
    await nvim.untilShown("gy accept  q back · not editable: b.bin");
    await nvim.keys("gB");
    await nvim.untilShown("cannot be edited");
    expect(await nvim.lua("return vim.bo.modifiable")).toBe(false);
    await nvim.keys("]f");
    expect(await asked.sides()).toEqual([
      ["It is binary and has 1 bytes."],
      ["Neovim cannot show this file with the patch:", "it is not text in UTF-8."],
    ]);
    await nvim.keys("gy");
    expect(await asked.chat.host.heard("approval/answer")).toMatchObject({ decision: "accept" });
    expect(asked.applied).toEqual([]);
  });

  it("runs nothing that its text names", async () => {
    const after = "x = 1\n-- vim: set tabstop=3 :\n";
    await using asked = await Asked.open({ program }, { "a.lua": { after } });
    const { nvim } = asked;
    await asked.look();
    expect(await nvim.lua("return { vim.bo.tabstop, vim.bo.filetype }")).toEqual([8, "lua"]);
  });
});
