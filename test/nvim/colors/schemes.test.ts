import { describe, expect, it } from "vitest";
import { contrast, hueGap, publishedSchemes, setScheme, xterm } from "../../support/colors.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

/** The backgrounds of a chat that text of any group may stand on. */
const BANDS = [
  "Normal",
  "CodexChatYouBand",
  "CodexChatAsksLine",
  "CodexChatCodeLine",
  "CodexChatReviewHeader",
];
const DIFF = ["CodexChatAddedLine", "CodexChatRemovedLine"];

/** A winbar is shown on these, but in Neovim 0.10 on the normal one. */
const BAR = ["WinBar", "WinBarNC"];

/** Backgrounds of the scheme that text may stand on, where they are like the normal one. */
const NEAR = ["NormalFloat", "CursorLine"];

/** Every group with text, and where it stands. */
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  ...on(BANDS, "You Codex Done Changed Verb Command Path Error Note Warning Hunk Asks"),
  ...on([...BANDS, ...BAR], "Failed Running Waiting ReviewTitle"),
  ...on(BANDS, "ReviewFile ReviewCurrent ReviewChanged ReviewComment"),
  ...on(BANDS, "ReviewCommentBar ReviewCommentGone"),
  ...on(BANDS, "Comment Fold Thinking CodeLabel KeyText Hint Queued"),
  ...on([...BANDS, ...BAR], "Muted"),
  ...on([...BANDS, ...DIFF], "LineNr"),
  ...on([...BANDS, ...BAR, "CodexChatAddedLine"], "Added"),
  ...on([...BANDS, ...BAR, "CodexChatRemovedLine"], "Removed"),
  ...on(["CodexChatKey"], "Key"),
  ...on(["CodexChatTitle"], "Title"),
  ...on(["CodexChatAsked"], "Asked"),
  ...on(["CodexChatReloaded"], "Reloaded"),
  ...on(["CodexChatReviewCommentText"], "ReviewCommentText"),
};

function on(backgrounds: readonly string[], names: string): Record<string, readonly string[]> {
  return Object.fromEntries(names.split(" ").map((name) => [`CodexChat${name}`, backgrounds]));
}

type Colors = { fg?: number; bg?: number; reverse?: boolean };
type Sort = "gui" | "cterm";

/** All groups of the chat and a few others as they are shown, by GUI and terminal. */
async function shown(nvim: Neovim): Promise<Record<Sort, Record<string, Colors>>> {
  const all = await nvim.lua<Record<string, Record<string, unknown>>>(
    `local found, others = {}, {}
    for _, name in ipairs(...) do others[name] = true end
    for name in pairs(vim.api.nvim_get_hl(0, {})) do
      if name:find("^CodexChat%a+$") or others[name] then
        local hl = vim.api.nvim_get_hl(0, { name = name, link = false })
        found[name] = next(hl) and hl or vim.empty_dict()
      end
    end
    return found`,
    ["Normal", ...BAR, ...NEAR],
  );
  const sorted: Record<Sort, Record<string, Colors>> = { gui: {}, cterm: {} };
  for (const [name, hl] of Object.entries(all)) {
    const { fg, bg, ctermfg, ctermbg, reverse, cterm } = hl as Record<string, number> & {
      cterm?: { reverse?: boolean };
    };
    sorted.gui[name] = look(fg, bg, Boolean(reverse));
    sorted.cterm[name] = look(color(ctermfg), color(ctermbg), cterm?.reverse === true);
  }
  return sorted;
}

function color(index: number | undefined): number | undefined {
  return index === undefined ? undefined : xterm(index);
}

function look(fg: number | undefined, bg: number | undefined, reverse: boolean): Colors {
  return { ...(fg !== undefined && { fg }), ...(bg !== undefined && { bg }), reverse };
}

/** Each text that cannot be read on one of its backgrounds. `normal` is what a scheme leaves open. */
function unreadable(
  groups: Readonly<Record<string, Colors>>,
  normal: { readonly fg: number; readonly bg: number },
): string[] {
  const base = { fg: groups["Normal"]?.fg ?? normal.fg, bg: groups["Normal"]?.bg ?? normal.bg };
  const found: string[] = [];
  const check = (text: string, background: string, fg: number, bg: number) => {
    const ratio = contrast(fg, bg);
    if (ratio < 4.5) found.push(`${text} on ${background}: ${ratio.toFixed(2)}`);
  };
  for (const [name, backgrounds] of Object.entries(TEXTS)) {
    const text = groups[name];
    if (text === undefined) throw new Error(`${name} is not defined`);
    const near = NEAR.filter((group) => contrast(groups[group]?.bg ?? base.bg, base.bg) < 1.5);
    for (const background of backgrounds.length > 1 ? [...backgrounds, ...near] : backgrounds) {
      let [fg, bg] = [text.fg ?? base.fg, groups[background]?.bg ?? base.bg];
      if (background === name && text.reverse === true) [fg, bg] = [bg, fg];
      check(name, background, fg, bg);
    }
  }
  // A scheme whose normal text is dimmer has chosen so.
  if (contrast(base.fg, base.bg) >= 5) {
    for (const band of [...BANDS, ...DIFF]) {
      check("Normal", band, base.fg, groups[band]?.bg ?? base.bg);
    }
  }
  return found;
}

/** Neovim's own schemes; some come in one brightness only. */
const SHIPPED = "blue default desert evening habamax lunaperche morning peachpuff quiet retrobox";
const MORE = "shine slate sorbet vim wildcharm zaibatsu";
const NEWER = "catppuccin unokai";

/** Sets each scheme in turn, and lists what is wrong with each. */
async function problems(
  nvim: Neovim,
  names: string,
  judge: (
    groups: Readonly<Record<string, Colors>>,
    isDark: boolean,
    sort: string,
  ) => readonly string[],
): Promise<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  const look = async (name: string) => {
    const isDark = (await nvim.lua("return vim.o.background")) === "dark";
    for (const [sort, groups] of Object.entries(await shown(nvim))) {
      const wrong = judge(groups, isDark, sort);
      if (wrong.length > 0) found[`${name} (${isDark ? "dark" : "light"}, ${sort})`] = wrong;
    }
  };
  await nvim.lua("require('codex-chat.highlight').setup()");
  for (const scheme of await publishedSchemes()) {
    await setScheme(nvim, scheme);
    await look(scheme.name);
  }
  for (const name of names.split(" ")) {
    for (const background of ["dark", "light"]) {
      await nvim.command(`set background=${background} | colorscheme ${name}`);
      await look(name);
    }
  }
  return found;
}

describe.each(neovims)("the colours of a chat on Neovim $name", (program) => {
  const names = [SHIPPED, MORE, ...(program.name === "0.10" ? [] : [NEWER])].join(" ");

  it("have a contrast of 4.5 to 1 wherever text stands, in every scheme", async () => {
    await using nvim = await startNeovim({ program });
    const wrong = await problems(nvim, names, (groups, isDark) =>
      // A terminal's own background is anything from black to dark grey.
      (isDark ? [0x000000, 0x1e1e1e] : [0xffffff, 0xf0f0f0]).flatMap((bg) =>
        unreadable(groups, { fg: isDark ? 0xd0d0d0 : 0x303030, bg }),
      ),
    );
    expect(wrong).toEqual({});
  });

  it("have faint backgrounds, which can be told from the normal one", async () => {
    await using nvim = await startNeovim({ program });
    const wrong = await problems(nvim, names, (groups, isDark, sort) => {
      const normal = groups["Normal"]?.bg ?? (isDark ? 0x1e1e1e : 0xf0f0f0);
      return [...BANDS.slice(1), ...DIFF].flatMap((band) => {
        const bg = groups[band]?.bg;
        const ratio = contrast(bg ?? normal, normal);
        // A terminal's darkest green is as bright as this.
        if (ratio > (sort === "gui" ? 1.8 : 2.7)) return [`${band} is loud: ${ratio.toFixed(2)}`];
        // A terminal may have no colour between the normal background and a loud one.
        return ratio < 1.02 && sort === "gui" ? [`${band} is not seen: ${ratio.toFixed(2)}`] : [];
      });
    });
    expect(wrong).toEqual({});
  });

  it("tell the user from Codex by their hues, in every scheme", async () => {
    await using nvim = await startNeovim({ program });
    const wrong = await problems(nvim, names, ({ CodexChatYou: you, CodexChatCodex: codex }) => {
      const gap = hueGap(you?.fg ?? 0, codex?.fg ?? 0);
      return gap < 55 ? [`${gap.toFixed(0)} degrees`] : [];
    });
    expect(wrong).toEqual({});
  });
});
