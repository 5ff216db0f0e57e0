import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims, repository } from "../../support/neovim.ts";

/** Our groups that are defined. */
const GROUPS = `
  local names = vim.tbl_keys(vim.api.nvim_get_hl(0, {}))
  return vim.fn.sort(vim.tbl_filter(function(name) return name:find("^CodexChat%a+$") end, names))`;

describe.each(neovims)("the default appearance on Neovim $name", (program) => {
  it("has exactly the highlight groups that the manual lists", async () => {
    await using chat = await openChat({ program });
    const manual = await readFile(join(repository, "doc/codex-chat.txt"), "utf8");
    const listed = [...manual.matchAll(/^ {4}(CodexChat\w+) +\w/gm)].map(([, name]) => name);
    expect(await chat.nvim.lua(GROUPS)).toEqual(listed.sort());
  });

  it.each([
    ["default", "dark"],
    ["default", "light"],
    ["habamax", "dark"],
    ["shine", "light"],
  ])(
    "differs from normal text with %s (%s), with and without termguicolors",
    async (scheme, background) => {
      await using chat = await openChat({
        program,
        args: ["-c", `set background=${background} | colorscheme ${scheme}`],
      });
      for (const name of [
        "CodexChatFailed",
        "CodexChatAsks",
        "CodexChatMuted",
        "CodexChatRunning",
      ]) {
        const hl = await chat.nvim.lua<{ fg?: number; ctermfg?: number; cterm?: object }>(
          "return vim.api.nvim_get_hl(0, { name = ..., link = false })",
          name,
        );
        expect(hl.fg, name).toBeDefined();
        // Neovim's own default gives Comment no colour in a terminal of 16.
        if (name !== "CodexChatMuted") expect(hl.ctermfg ?? hl.cterm, name).toBeDefined();
      }
    },
  );

  it.each([
    [80, undefined, 50],
    [200, undefined, 90],
    [200, { min_width: 120 }, 120],
    [80, { min_width: 500 }, 78],
    [40, undefined, 38],
    [80, { size: 30, min_width: 20 }, 30],
    [20, { position: "left" }, 18],
  ])(
    "makes the chat wide enough on a screen of %d columns (%j)",
    async (columns, window, width) => {
      await using chat = await openChat({
        program,
        screen: { columns, rows: 24 },
        ...(window === undefined ? {} : { config: { window } }),
      });
      expect(await chat.nvim.lua("return vim.api.nvim_win_get_width(0)")).toBe(width);
    },
  );

  it("needs no characters that a usual font lacks", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 24 } });
    await chat.edit(
      { op: "insert", id: "run", after: "history", lines: ["**Ran** `ls`"], gap: 1 },
      { op: "insert", id: "out", after: "run", lines: ["```console output", "x", "```"], gap: 0 },
      { op: "fold", from: "out", to: "out" },
    );
    await chat.setState({ phase: "running", model: "m", tokens: { last: 1, window: 2 } });
    await chat.nvim.untilShown("1 line");
    // Private use areas, where icon fonts have their pictures.
    expect(chat.nvim.screen?.text()).not.toMatch(/\p{Co}/u);
  });
});
