import { chmod, mkdir, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { type DebianPackages, unpackDebian } from "./debs.ts";
import { cacheDir } from "./paths.ts";

/** The versions that the tests run on: the oldest supported one and the newest. */
const NEOVIMS = {
  "0.10": { name: "neovim-0.10", suite: "trixie", packages: ["neovim"] },
  "0.12": { name: "neovim-0.12", suite: "forky", packages: ["neovim"] },
} satisfies Record<string, DebianPackages>;

/** Paths of programs that run as `nvim`. */
export type Neovims = Readonly<Record<keyof typeof NEOVIMS, string>>;

/** Fetches both versions, side by side and without touching the system. */
export async function setUpNeovims(): Promise<Neovims> {
  return { "0.10": await setUpNeovim("0.10"), "0.12": await setUpNeovim("0.12") };
}

async function setUpNeovim(version: keyof Neovims): Promise<string> {
  const root = await unpackDebian(NEOVIMS[version]);
  const program = join(cacheDir, "nvim", version, "nvim");
  await mkdir(dirname(program), { recursive: true });
  await writeFile(program, wrapper(root));
  await chmod(program, 0o755);
  const { stdout } = await execa(program, ["--version"]);
  if (!stdout.startsWith(`NVIM v${version}.`))
    throw new Error(
      `Debian's ${NEOVIMS[version].suite} has ${stdout.split("\n")[0]}, expected ${version}.x`,
    );
  return program;
}

/**
 * A program that runs Neovim by its own dynamic linker and libraries, because those of another
 * Debian release do not fit. Given as an argument to the linker, the library path does not reach
 * the programs that Neovim starts.
 */
function wrapper(root: string): string {
  const multiarch = arch() === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const linker = arch() === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";
  const lib = `$root/usr/lib/${multiarch}`;
  return `#!/bin/sh
root=${shellQuote(root)}
export VIMRUNTIME="$root/usr/share/nvim/runtime"
exec "${lib}/${linker}" --library-path "${lib}:$root/usr/lib" \\
  "$root/usr/bin/nvim" --cmd "let &runtimepath .= ',' .. escape('$root/usr/lib/nvim', ' ,')" "$@"
`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
