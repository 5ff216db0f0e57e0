import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { contrast, publishedSchemes, type Scheme, setScheme } from "../../support/colors.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

const SET_UP = "require('codex-chat.highlight').setup()";

type Group = Readonly<{ link?: string; fg?: number; bg?: number; ctermfg?: number }> & {
  readonly ctermbg?: number;
  readonly cterm?: Readonly<Record<string, boolean>>;
};

/** A group as it is defined, or as it is shown. */
async function group(nvim: Neovim, name: string, link = true): Promise<Group> {
  return nvim.lua(
    "return vim.api.nvim_get_hl(0, { name = ..., link = select(2, ...) })",
    name,
    link,
  );
}

async function scheme(name: string): Promise<Scheme> {
  const found = (await publishedSchemes()).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no scheme ${name}`);
  return found;
}

describe.each(neovims)("the groups of a chat on Neovim $name", (program) => {
  it("keep a scheme's colour where it can be read, and else one of the same hue", async () => {
    await using nvim = await startNeovim({ program });
    await nvim.lua(SET_UP);
    await setScheme(nvim, await scheme("tokyonight-moon"));
    expect(await group(nvim, "CodexChatPath")).toMatchObject({ link: "CodexChat.Path" });
    expect(await group(nvim, "CodexChat.Path")).toEqual({ link: "Directory" });
    // Comment is #636da6, with a contrast of 3.0.
    expect(await group(nvim, "CodexChat.Hint")).toMatchObject({ fg: 0x939bc4, italic: true });
    expect(await group(nvim, "CodexChat.Muted")).toEqual({ fg: 0x939bc4, ctermfg: 247 });
    expect(await group(nvim, "CodexChatAddedLine", false)).toMatchObject({ bg: 0x2a4556 });
  });

  it("keep the words of an answer readable, headings and code as well", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const day = await scheme("tokyonight-day");
    // As in tokyonight-day and catppuccin-latte.
    const groups = {
      ...day.groups,
      "@markup.raw.markdown_inline": { fg: "#2e7de9", bg: "#a1a6c5" },
      "@markup.heading.2": { fg: "#df8e1d", bold: true },
      "@markup.italic": { fg: "#df8e1d", italic: true },
      "@markup.strong": { fg: "#3760bf", bold: true },
    };
    await setScheme(nvim, { ...day, groups });
    const user = await chat.send("go on");
    const lines = ["## Answer", "", "A `b` *c* **d**"];
    await chat.edit({ op: "insert", id: "a", after: user, lines, gap: 1 });
    const painted = `return vim.tbl_map(function(m) return m[4].hl_group or "" end,
      vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true }))`;
    const used = "CodexChat.markup.raw.markdown_inline";
    await expect.poll(() => nvim.lua<string[]>(painted)).toContain(used);
    const code = await group(nvim, used);
    expect(code.bg).toBe(0xa1a6c5);
    expect(contrast(code.fg ?? 0xa1a6c5, 0xa1a6c5)).toBeGreaterThanOrEqual(4.5);
    const normal = (await group(nvim, "Normal")).bg ?? 0;
    for (const [name, letters] of [
      ["heading.2.markdown", { bold: true }],
      ["italic.markdown_inline", { italic: true }],
    ] as const) {
      const found = await group(nvim, `CodexChat.markup.${name}`);
      expect(found, name).toMatchObject(letters);
      expect(contrast(found.fg ?? normal, normal), name).toBeGreaterThanOrEqual(4.5);
    }
    // What can be read stays the scheme's, whatever is set later.
    expect(await group(nvim, "CodexChat.markup.strong.markdown_inline")).toEqual({
      link: "@markup.strong.markdown_inline",
    });
  });

  it("are the user's own if set before a chat or after, with ! and without", async () => {
    await using nvim = await startNeovim({ program });
    await nvim.command("highlight CodexChatYou guifg=#112233");
    await nvim.lua(SET_UP);
    await nvim.command("highlight CodexChatCodex guifg=#445566 ctermfg=7");
    await nvim.command("highlight link CodexChatMuted Error");
    await nvim.command("highlight! link CodexChatFold NONE");
    for (const change of ["set background=light", "set termguicolors", "lua " + SET_UP]) {
      await nvim.command(change);
      expect(await group(nvim, "CodexChatYou"), change).toEqual({ fg: 0x112233 });
      expect(await group(nvim, "CodexChatCodex"), change).toEqual({ fg: 0x445566, ctermfg: 7 });
      expect(await group(nvim, "CodexChatMuted"), change).toMatchObject({ link: "Error" });
      expect(await group(nvim, "CodexChatFold"), change).not.toHaveProperty("link");
    }
  });

  it("are a colour scheme's if it sets them, also after another scheme", async () => {
    await using nvim = await startNeovim({ program });
    const moon = await scheme("tokyonight-moon");
    const own = { ...moon, groups: { ...moon.groups, CodexChatYou: { fg: "#aabbcc" } } };
    await setScheme(nvim, own);
    await nvim.lua(SET_UP);
    for (const each of [own, moon, own]) {
      await setScheme(nvim, each);
      expect(await group(nvim, "CodexChatYou")).toEqual(
        each === own ? { fg: 0xaabbcc } : { link: "CodexChat.You" },
      );
    }
  });

  it("are the user's own if an autocommand sets them for each scheme", async () => {
    await using nvim = await startNeovim({ program });
    await nvim.command("autocmd ColorScheme * highlight CodexChatYou guifg=#112233");
    await nvim.lua(SET_UP);
    for (const name of ["habamax", "default"]) {
      await nvim.command(`colorscheme ${name}`);
      expect(await group(nvim, "CodexChatYou"), name).toEqual({ fg: 0x112233 });
    }
  });

  it("follow 'background' and 'termguicolors'", async () => {
    await using nvim = await startNeovim({ program });
    await nvim.lua(SET_UP);
    const [normal, bands] = [[0x14161b, 0xe0e2ea], [] as (number | undefined)[]];
    for (const [n, background] of ["dark", "light"].entries()) {
      await nvim.command(`set background=${background}`);
      const { bg } = await group(nvim, "CodexChatYouBand", false);
      expect(contrast(bg ?? 0, normal[n] ?? 0), background).toBeLessThan(1.3);
      bands.push(bg);
    }
    expect(new Set(bands).size).toBe(2);
    expect(await group(nvim, "CodexChatYouBand", false)).toHaveProperty("ctermbg");
    await nvim.command("set termguicolors");
    expect(await group(nvim, "CodexChatYouBand", false)).not.toHaveProperty("ctermbg");
    await nvim.command("set notermguicolors");
    expect(await group(nvim, "CodexChatYouBand", false)).toHaveProperty("ctermbg");
  });

  it.each([
    ["dark", [0x000000, 0x1e1e1e]],
    ["light", [0xffffff, 0xf0f0f0]],
  ])("can be read on a terminal's own %s background", async (background, backgrounds) => {
    await using nvim = await startNeovim({ program });
    await nvim.command(`set background=${background} | highlight Normal guifg=NONE guibg=NONE`);
    await nvim.lua(SET_UP);
    for (const name of ["You", "Codex", "Muted", "Failed", "Waiting", "Path", "LineNr"]) {
      const { fg } = await group(nvim, `CodexChat${name}`, false);
      for (const bg of backgrounds) {
        expect(contrast(fg ?? bg, bg), name).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  it("have no background and other letters in a terminal of 16 colours", async () => {
    await using nvim = await startNeovim({ program });
    await nvim.request("nvim_ui_attach", 80, 24, { rgb: false, term_colors: 16 });
    await nvim.lua(SET_UP);
    for (const name of ["YouBand", "CodeLine", "AsksLine", "AddedLine", "RemovedLine"]) {
      const shown = await group(nvim, `CodexChat${name}`, false);
      expect(shown, name).not.toHaveProperty("ctermbg");
    }
    expect(await group(nvim, "CodexChatKey", false)).toMatchObject({
      cterm: { bold: true, reverse: true },
    });
    const [you, codex] = [
      await group(nvim, "CodexChatYou", false),
      await group(nvim, "CodexChatCodex", false),
    ];
    expect([you.ctermfg, codex.ctermfg]).toEqual([6, 5]);
    expect(await group(nvim, "CodexChatFailed", false)).toMatchObject({ ctermfg: 9 });
  });
});
