/**
 * Colours for tests: contrast and hue computed apart from the plugin, the palette of a terminal, and
 * popular colour schemes as data.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Neovim, repository } from "./neovim.ts";

function linear(color: number): [number, number, number] {
  const channel = (byte: number) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(color >> 16), channel((color >> 8) & 0xff), channel(color & 0xff)];
}

function luminance(color: number): number {
  const [red, green, blue] = linear(color);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast of two colours (0xRRGGBB) by WCAG 2.2, from 1 to 21. */
export function contrast(one: number, other: number): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** Chroma and hue (in degrees) of a colour as CSS has them in `oklch()`. */
function oklch(color: number): { chroma: number; hue: number } {
  const [red, green, blue] = linear(color);
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const b = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return { chroma: Math.hypot(a, b), hue: (Math.atan2(b, a) * 180) / Math.PI };
}

/** How far apart two hues are in degrees, from 0 to 180; 0 if one of the colours is grey. */
export function hueGap(one: number, other: number): number {
  const [a, b] = [oklch(one), oklch(other)];
  if (Math.min(a.chroma, b.chroma) < 0.04) return 0;
  const gap = Math.abs(a.hue - b.hue);
  return Math.min(gap, 360 - gap);
}

/** xterm's own first 16 colours. */
const BASIC = [
  0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f,
  0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];

/** A colour of xterm's 256, by its number. */
export function xterm(index: number): number {
  if (index < 16) return BASIC[index] ?? 0;
  if (index >= 232) return (8 + 10 * (index - 232)) * 0x010101;
  const level = (n: number) => (n === 0 ? 0 : 55 + 40 * n);
  const cube = index - 16;
  return (
    (level(Math.floor(cube / 36)) << 16) | (level(Math.floor(cube / 6) % 6) << 8) | level(cube % 6)
  );
}

/** A scheme's groups, as `nvim_set_hl` takes them. */
export type Scheme = {
  readonly name: string;
  readonly background: "dark" | "light";
  readonly groups: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** The schemes of test/fixtures/schemes.tsv. */
export async function publishedSchemes(): Promise<readonly Scheme[]> {
  const text = await readFile(join(repository, "test/fixtures/schemes.tsv"), "utf8");
  const [head = [], ...rows] = text
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.split("\t"));
  return head.slice(1).map((name, column) => ({
    name,
    background: /day|light|dawn|latte/.test(name) ? "light" : "dark",
    groups: Object.fromEntries(
      rows.map(([group, ...looks]) => [group ?? "", look(looks[column] ?? "-")]),
    ),
  }));
}

function look(text: string): Record<string, unknown> {
  const [, fg, bg, attributes = ""] = /^(#\w+)? ?(?:on (#\w+))?(.*)$/.exec(text) ?? [];
  const found: Record<string, unknown> = {};
  if (fg !== undefined) found["fg"] = fg;
  if (bg !== undefined) found["bg"] = bg;
  for (const name of attributes.split(" ")) if (/^[a-z]+$/.test(name)) found[name] = true;
  return found;
}

/** Sets a scheme as `:colorscheme` would. */
export async function setScheme(nvim: Neovim, scheme: Scheme): Promise<void> {
  await nvim.lua(
    `local scheme = ...
    vim.cmd("highlight clear")
    vim.g.colors_name = nil
    vim.o.background = scheme.background
    for name, hl in pairs(scheme.groups) do vim.api.nvim_set_hl(0, name, next(hl) and hl or {}) end
    vim.api.nvim_exec_autocmds("ColorScheme", { pattern = scheme.name })`,
    scheme,
  );
}
