import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type NeovimProgram, neovims } from "../../support/neovim.ts";

const FILES = [
  "src/a.lua",
  "src/größe und maß.lua",
  "src/a b/c.lua",
  "docs/page (1).md",
  "sub/d.lua",
];

type Followed = OpenChat & {
  /** Puts the cursor where `|` is in the last of these lines that has one, and types keys. */
  at(text: string, keys: string): Promise<void>;
  /** What was given to the desktop. */
  opened(): Promise<string[]>;
};

/** A chat in a project with files, and a desktop that writes down what it opens. */
async function start(program: NeovimProgram): Promise<Followed> {
  const chat = await openChat({ program, screen: { columns: 160, rows: 40 } });
  const { nvim } = chat;
  await nvim.keys("<Esc>");
  await nvim.until("vim.api.nvim_get_mode().mode", "n");
  for (const name of FILES) {
    await mkdir(join(nvim.cwd, name, ".."), { recursive: true });
    await writeFile(join(nvim.cwd, name), "line\n".repeat(30));
  }
  const bin = join(nvim.home, "bin");
  const log = join(nvim.home, "opened");
  await mkdir(bin);
  await writeFile(join(bin, "xdg-open"), `#!/bin/sh\nprintf '%s\\n' "$*" >> ${log}\n`);
  await chmod(join(bin, "xdg-open"), 0o755);
  await nvim.lua("vim.env.PATH = ... .. ':' .. vim.env.PATH", bin);
  // From a directory below the project.
  await nvim.command("silent cd sub");
  return {
    ...chat,
    [Symbol.asyncDispose]: () => chat[Symbol.asyncDispose](),
    async at(text, keys) {
      await nvim.lua(
        `local lines = ...
         vim.api.nvim_set_current_win(vim.fn.bufwinid(${chat.buf}))
         local at
         for n, line in ipairs(lines) do
           local col = line:find("|", 1, true)
           if col then
             at = { n, col - 1 }
             lines[n] = line:sub(1, col - 1) .. line:sub(col + 1)
           end
         end
         local last = vim.api.nvim_buf_line_count(0)
         vim.api.nvim_buf_set_lines(0, last - 1, last, false, lines)
         vim.api.nvim_win_set_cursor(0, { last - 1 + at[1], at[2] })`,
        [...text.split("\n"), ""],
      );
      await nvim.type(keys);
    },
    async opened() {
      return (await readFile(log, "utf8").catch(() => "")).split("\n").filter(Boolean);
    },
  };
}

/** The current buffer's path below the project, and the cursor's line and column. */
const PLACE = `(function()
  local pos = vim.api.nvim_win_get_cursor(0)
  local root = vim.fs.dirname(vim.fn.getcwd())
  return { (vim.api.nvim_buf_get_name(0):gsub("^" .. vim.pesc(root) .. "/", "")), pos[1], pos[2] + 1 }
end)()`;

describe.each(neovims)("gf in a chat on Neovim $name", (program) => {
  it("finds a file named in any usual way, from the project's root", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    const a = "src/a.lua";
    const cases: [string, string, number?, number?][] = [
      ["see s|rc/a.lua", a],
      ["see src/a.lua|:12", a, 12],
      ["see src/|a.lua:12:3", a, 12, 3],
      ["see ./src/|a.lua:12:3: warning", a, 12, 3],
      ["in (src/|a.lua:7).", a, 7],
      ["**Edited** `src/|a.lua` · +1 -2", a],
      ["look at `src/a.lua:5|-9`, please", a, 5],
      ["[the |file](src/a.lua#L8)", a, 8],
      ["[the file](src/|a.lua:8:2)", a, 8, 2],
      [`[it](${nvim.cwd}/src/|a.lua#L9-L12)`, a, 9],
      [`${nvim.cwd}/src/|a.lua:4`, a, 4],
      ["--- a/src/|a.lua", a],
      ["+++ b/src/|a.lua", a],
      ["diff --git a/src/a.lua b/src/|a.lua", a],
      ["+++ b/src/größe |und maß.lua", "src/größe und maß.lua"],
      ["`src/größe und |maß.lua:3`", "src/größe und maß.lua", 3],
      ["changed src/größe |und maß.lua just now", "src/größe und maß.lua"],
      ['@"src/a |b/c.lua"', "src/a b/c.lua"],
      ["@src/a.l|ua#L10-L20", a, 10],
      ["[page](<docs/page (1).md|>)", "docs/page (1).md"],
      ["[pa|ge](docs/page%20(1).md)", "docs/page (1).md"],
      ['  File "src/|a.lua", line 6, in <module>', a, 6],
      ["src/|a.lua(11,2): error TS1005", a, 11, 2],
      ["  --> src/a.lua|:2:1", a, 2],
      ["`cat src/|a.lua`", a],
      ["| src/|a.lua | a table |".replace("| ", "¦ "), a],
      ["```\nsrc/|a.lua:13\n```", a, 13],
    ];
    for (const [text, path, line, column] of cases) {
      for (const keys of ["gf", "gF"]) {
        await nvim.command("silent! wincmd t | enew");
        await chat.at(text, keys);
        const place = await nvim.lua<[string, number, number]>(`return ${PLACE}`);
        expect([text, ...place.slice(0, 1)]).toEqual([text, path]);
        if (line !== undefined) expect([text, place[1]]).toEqual([text, line]);
        if (column !== undefined) expect([text, place[2]]).toEqual([text, column]);
        expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
      }
    }
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("opens a window or tabpage on request, and accepts a selection", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    await chat.at("see src/|a.lua:12", "<C-w>f");
    expect(await nvim.lua(`return ${PLACE}`)).toEqual(["src/a.lua", 12, 1]);
    expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(3);
    await nvim.command("close");
    await chat.at("see src/|a.lua:12", "<C-w>gF");
    expect(await nvim.lua(`return ${PLACE}`)).toEqual(["src/a.lua", 12, 1]);
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(2);
    await nvim.command("tabclose");
    await chat.at("x|src/a b/c.luax", "v12lgf");
    expect(await nvim.lua(`return ${PLACE}`)).toEqual(["src/a b/c.lua", 1, 1]);
  });

  it("reports what is not there or not in the project, and opens none of it", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    const said = async () => (await nvim.messages()).replaceAll("\n", "");
    await chat.at("see src/|none.lua:12", "gf");
    await expect.poll(said).toContain(`there is no file src/none.lua:12 in ${nvim.cwd}`);
    await symlink("/etc/passwd", join(nvim.cwd, "inside.txt"));
    for (const name of ["/etc/pass|wd:1", "[a](../../../../../../etc/pass|wd)", "insid|e.txt"]) {
      await nvim.command("messages clear");
      await chat.at(name, "gf");
      await expect.poll(said).toMatch(/\S+ is outside of the project; `:edit` opens it/);
      expect(await nvim.buf()).toBe(chat.buf);
    }
  });

  it("opens an address as gx does, and says which", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    await chat.at("see https://|example.org/a", "gf");
    await expect.poll(() => chat.opened()).toEqual(["https://example.org/a"]);
    await expect.poll(() => nvim.messages()).toContain("codex-chat: opening https://example.org/a");
    // The words of a link may name another address, and letters may look like others.
    await chat.at("[https://exam|ple.org](https://evil.example/größe\u202e)", "gF");
    const shown = "https://evil.example/gr%C3%B6%C3%9Fe%E2%80%AE";
    await expect.poll(() => chat.opened()).toEqual(["https://example.org/a", shown]);
    await expect.poll(() => nvim.messages()).toContain(`opening ${shown}`);
    expect(await nvim.buf()).toBe(chat.buf);
  });

  it("stops at the last line and the last column of a file", async () => {
    await using chat = await start(program);
    for (const [place, row, column] of [
      ["src/|a.lua:999:999", 30, 4],
      ["src/|a.lua:3:99999999999999999999", 3, 4],
      ["src/|a.lua:99999999999999999999999", 30, 1],
      ["src/|a.lua:0:0", 1, 1],
    ] as const) {
      await chat.at(place, "gf");
      const found = await chat.nvim.lua(`return ${PLACE}`);
      expect([place, found]).toEqual([place, ["src/a.lua", row, column]]);
    }
    expect(await chat.nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("opens the file in the code window that was used last", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    await nvim.command("wincmd t | vsplit | vsplit | wincmd l");
    const last = await nvim.lua("return vim.api.nvim_get_current_win()");
    // Another window that is not for code was entered since.
    await nvim.command("copen");
    await chat.at("see src/|a.lua:3", "gf");
    expect(await nvim.lua(`return ${PLACE}`)).toEqual(["src/a.lua", 3, 1]);
    expect(await nvim.lua("return vim.api.nvim_get_current_win()")).toBe(last);
  });

  it("leaves the user's own mappings alone", async () => {
    await using chat = await openChat({
      program,
      args: ["-c", "autocmd FileType codexchat nnoremap <buffer> gx :let g:own = 1<CR>"],
    });
    await chat.nvim.keys("<Esc>");
    await chat.nvim.until("vim.api.nvim_get_mode().mode", "n");
    await chat.nvim.lua("vim.api.nvim_feedkeys('gx', 'mx', false)");
    expect(await chat.nvim.lua("return vim.g.own")).toBe(1);
  });
});

describe.each(neovims)("<CR> in a chat on Neovim $name", (program) => {
  it("goes to the file or address under the cursor of an answer, and sends elsewhere", async () => {
    await using chat = await start(program);
    const { nvim, host } = chat;
    const user = await chat.send("first");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["## Codex", "", "x"], gap: 1 });
    await nvim.lua("vim.api.nvim_buf_set_lines(..., -2, -1, false, { 'next' })", chat.buf);
    const enter = async (text: string) => {
      await nvim.command("messages clear");
      const lines = ["## Codex", "", text.replace("|", "")];
      await chat.edit({ op: "replace", id: "a", lines });
      await nvim.lua(
        `local buf, line, col = ...
         vim.api.nvim_set_current_win(vim.fn.bufwinid(buf))
         vim.fn.search("\\\\V" .. vim.fn.escape(line, "\\\\"), "w")
         vim.api.nvim_win_set_cursor(0, { vim.fn.line("."), col })`,
        chat.buf,
        text.replace("|", ""),
        Buffer.byteLength(text.slice(0, text.indexOf("|"))),
      );
      await nvim.type("<CR>");
    };
    for (const [text, path, line] of [
      ["see src/|a.lua:12.", "src/a.lua", 12],
      ["`src/a b/c.l|ua`", "src/a b/c.lua", 1],
      ["[the |file](src/a.lua#L3-L9)", "src/a.lua", 3],
      ["see (src/größe und maß.lua), `sub/|d.lua:2:1`", "sub/d.lua", 2],
    ] as const) {
      await enter(text);
      const place = await nvim.lua<[string, number, number]>(`return ${PLACE}`);
      expect([text, place[0], place[1]]).toEqual([text, path, line]);
    }
    await enter("a <https://exam|ple.org/>");
    await expect.poll(() => chat.opened()).toEqual(["https://example.org/"]);
    await enter("see src/|none.lua:4");
    await expect.poll(() => nvim.messages()).toContain("there is no file src/none.lua:4");
    expect(host.of("turn/send")).toHaveLength(1);
    // A directory's name in a sentence is a word.
    await enter("the |src of it");
    expect((await host.heard("turn/send", 2)).text).toBe("next");
    await chat.at("mention src/|a.lua:12", "<CR>");
    expect((await host.heard("turn/send", 3)).text).toBe("mention src/a.lua:12");
  });
});

describe.each(neovims)("gx in a chat on Neovim $name", (program) => {
  it("opens an address from anywhere in its link", async () => {
    await using chat = await start(program);
    const e = "https://example.org";
    const cases: [string, string][] = [
      [`a [wo|rd and more](${e}/1) b`, `${e}/1`],
      [`a |[word](${e}/2)`, `${e}/2`],
      [`a [word](https://exam|ple.org/3)`, `${e}/3`],
      [`a [word](${e}/4 "a title|")`, `${e}/4`],
      [`a [word](${e}/5|)`, `${e}/5`],
      ["a <https://exam|ple.org/6>", `${e}/6`],
      [`a [wo|rd][ref]\n\n[ref]: ${e}/7`, `${e}/7`],
      [`a [Re|f  two][]\n\n[ref two]: <${e}/8>`, `${e}/8`],
      [`a [größ|e]\n\n[GRÖßE]: ${e}/9`, `${e}/9`],
      ["see https://exam|ple.org/10, and", `${e}/10`],
      ["(see https://exam|ple.org/a_(b)).", `${e}/a_(b)`],
      ["**https://exam|ple.org/11**", `${e}/11`],
      ["`curl https://exam|ple.org/12`", `${e}/12`],
      ["```\nfetch('https://exam|ple.org/13')\n```", `${e}/13`],
      [`[\`co|de\`](${e}/14)`, `${e}/14`],
      [`[**bo|ld** and [brackets]](${e}/15)`, `${e}/15`],
      [`[a text that\ngoes |on](${e}/16)`, `${e}/16`],
      [`[grö|ße](${e}/17)`, `${e}/17`],
      [`[one](${e}/no) [tw|o](${e}/18) [three](${e}/no)`, `${e}/18`],
      [`![pic|ture](${e}/19.png)`, `${e}/19.png`],
      [`a |![picture](${e}/22.png)`, `${e}/22.png`],
      [`## 1. [![ba|dge](${e}/no.svg)](${e}/23)`, `${e}/23`],
      [`> - [quo|ted](${e}/20?a=1&amp;b=2)`, `${e}/20?a=1&b=2`],
      ["HTTPS://EXAM|PLE.ORG/21", "HTTPS://EXAMPLE.ORG/21"],
    ];
    const seen: string[] = [];
    for (const [text, address] of cases) {
      await chat.at(text, "gx");
      seen.push(address);
      await expect.poll(() => chat.opened()).toEqual(seen);
    }
    expect(await chat.nvim.messages()).not.toContain("there is no");
  });

  it("shows a file of the project as text, in a code window", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    for (const text of [
      "[a fi|le](src/a.lua)",
      "[a fi|le](src/a.lua#L3)",
      `[a fi|le](file://${nvim.cwd}/src/a.lua)`,
      "`src/|a.lua`",
    ]) {
      await nvim.command("silent! wincmd t | enew");
      await chat.at(text, "gx");
      expect((await nvim.lua<unknown[]>(`return ${PLACE}`))[0]).toBe("src/a.lua");
    }
    expect(await chat.opened()).toEqual([]);
  });

  it("opens nothing else, and says what it would have opened", async () => {
    await using chat = await start(program);
    const { nvim } = chat;
    await writeFile(join(nvim.home, "outside.txt"), "secret\n");
    await symlink(join(nvim.home, "outside.txt"), join(nvim.cwd, "inside.txt"));
    for (const text of [
      "[te|xt](javascript:alert(1))",
      "[te|xt](vscode://file/etc/passwd)",
      "[te|xt](none.lua)",
      "a <me@exam|ple.org>",
      "mail mailto:me@exam|ple.org.",
      "[te|xt](mailto:a@example.org?subject=x&attach=/etc/passwd)",
      "<ssh://exam|ple.org>",
      "just a wo|rd",
      "\\[te|xt](https-is-not-here)",
      "[te|xt](-a)",
    ]) {
      await nvim.command("messages clear");
      await chat.at(text, "gx");
      await expect
        .poll(async () => [text, (await nvim.messages()).replaceAll("\n", " ")])
        .toEqual([text, expect.stringContaining("`gx` opens nothing else")]);
      expect(await nvim.buf()).toBe(chat.buf);
    }
    for (const text of [
      "[te|xt](file:///etc/passwd)",
      "[te|xt](/etc/passwd)",
      "[te|xt](inside.txt)",
      "[te|xt](../../../../../../etc/passwd)",
    ]) {
      await nvim.command("messages clear");
      await chat.at(text, "gx");
      await expect.poll(() => nvim.messages()).toContain("is outside of the project");
      expect(await nvim.buf()).toBe(chat.buf);
    }
    // What was opened last is the only thing that was.
    await chat.at("https://exam|ple.org/", "gx");
    await expect.poll(() => chat.opened()).toEqual(["https://example.org/"]);
  });
});
