import { describe, expect, it } from "vitest";
import { neovims, startNeovim } from "../../support/neovim.ts";

describe.each(neovims)("the arithmetic of colours on Neovim $name", (program) => {
  it.each([
    // Published by W3C and by contrast checkers.
    ["ratio(0xffffff, 0x000000)", 21],
    ["ratio(0x777777, 0xffffff)", 4.48],
    ["ratio(0xffffff, 0x767676)", 4.54],
    ["ratio(0xff0000, 0xffffff)", 4],
    ["ratio(0x636da6, 0x222436)", 3.11],
    ["luminance(0x808080)", 0.22],
    // As CSS has them in oklch().
    ["chroma(0xff0000)", 0.26],
    ["chroma(0x808080)", 0],
    ["hue_gap(0xff0000, 0x0000ff)", 125.18],
    ["hue_gap(0x0000ff, 0xff0000)", 125.18],
    ["hue_gap(0xff0000, 0xff00ff)", 60.87],
    ["distance(0x000000, 0xffffff)", 1],
    // Half way in OKLab, which is darker than half way in bytes.
    ["mix(0x000000, 0xffffff, 0.5)", 0x636363],
    ["mix(0x123456, 0xffffff, 0)", 0x123456],
    ["mix(0x123456, 0xfedcba, 1)", 0xfedcba],
    ["xterm(9)", 0xff0000],
    ["xterm(16)", 0x000000],
    ["xterm(52)", 0x5f0000],
    ["xterm(231)", 0xffffff],
    ["xterm(232)", 0x080808],
    ["xterm(255)", 0xeeeeee],
    ["nearest(0x000000)", 16],
    ["nearest(0xffffff)", 231],
    ["nearest(0x1e1e1e)", 234],
    ["nearest(0x5f0000)", 52],
    ["nearest(0x61afef)", 75],
  ])("has %s = %d", async (call, expected) => {
    await using nvim = await startNeovim({ program });
    const found = await nvim.lua<number>(`return require("codex-chat.highlight.contrast").${call}`);
    expect(Math.round(found * 100) / 100).toBe(expected);
  });

  it("mixes as little as it takes, and says if it never suffices", async () => {
    await using nvim = await startNeovim({ program });
    const blend = (ratio: number, snap = "nil") =>
      nvim.lua(
        `local contrast = require("codex-chat.highlight.contrast")
        local function is_good(color) return contrast.ratio(color, 0x000000) >= ... end
        local function snap(color) return contrast.xterm(contrast.nearest(color)) end
        return contrast.blend(0x404040, 0xffffff, is_good, ${snap})`.replace("...", String(ratio)),
      );
    expect(await blend(1)).toBe(0x404040);
    // #757575 has 4.56, #747474 4.49.
    expect(await blend(4.5)).toBe(0x757575);
    expect(await blend(4.5, "snap")).toBe(0x767676);
    expect(await blend(22)).toBeNull();
    expect(await blend(22, "snap")).toBeNull();
  });
});
