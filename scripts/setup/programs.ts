import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./command.ts";
import type { NeovimVersion } from "./neovim.ts";

/** The oldest Neovim that the plugin runs on, as major, minor and patch. */
const OLDEST_NEOVIM = [0, 10, 4] as const;

/** Finds a program on PATH. */
export function onPath(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  return path
    .split(delimiter)
    .filter((dir) => dir !== "")
    .map((dir) => join(dir, name))
    .find(isProgram);
}

/** A Neovim, and which of the tested versions it stands for: the oldest supported or the newest. */
export type Neovim = { readonly program: string; readonly version: NeovimVersion };

/** Finds the user's own Neovim, if it is new enough. */
export async function findNeovim(): Promise<Neovim | undefined> {
  const program = onPath("nvim");
  if (program === undefined) return undefined;
  const version = parseNeovimVersion(await run(program, ["--version"]).catch(() => ""));
  return version === undefined ? undefined : { program, version };
}

/** Reads the output of `nvim --version`; undefined if it is too old or not Neovim's. */
export function parseNeovimVersion(said: string): NeovimVersion | undefined {
  const version = /^NVIM v(\d+)\.(\d+)\.(\d+)/.exec(said)?.slice(1).map(Number);
  if (version === undefined) return undefined;
  for (const [index, oldest] of OLDEST_NEOVIM.entries()) {
    const part = version[index] ?? 0;
    if (part > oldest) return index === 2 ? "0.10" : "0.12";
    if (part < oldest) return undefined;
  }
  return "0.10";
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
