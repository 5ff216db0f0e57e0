import { existsSync } from "node:fs";
import { chmod, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "./cached.ts";
import { run } from "./command.ts";
import {
  candidateVersion,
  debianMachine,
  extractDebs,
  multiarch,
  unpackDebian,
} from "./debian/index.ts";
import { failSetup } from "./failure.ts";
import { cacheDir } from "./paths.ts";

/** The versions that are tested, the oldest supported and the newest, and the suites that may have them. */
const SUITES = {
  "0.10": ["trixie"],
  "0.12": ["forky", "sid"],
} as const;

/** A tested version, up to its minor number. */
export type NeovimVersion = keyof typeof SUITES;

/**
 * Fetches one version into `.cache/nvim/<version>` and returns its program. A program that the
 * environment names (`CODEX_CHAT_NVIM_0_12`), such as a nightly build, stands for it.
 */
export async function setUpNeovim(version: NeovimVersion): Promise<string> {
  const variable = `CODEX_CHAT_NVIM_${version.replace(".", "_")}`;
  const named = process.env[variable];
  if (named !== undefined) {
    if (existsSync(named)) return named;
    return failSetup("missing", `${variable} names no program: ${named}`, [`unset ${variable}`]);
  }
  const dir = join(cacheDir, "nvim", version);
  // The programs hold the path they lie at, so another path needs another build.
  await cached(dir, `2 ${version} ${dir}`, async (partial) => {
    const root = join(partial, "root");
    await extractDebs(root, { suite: await suiteOf(version), packages: ["neovim"] });
    // Parsers lie in a directory that was fixed at build time; through this link they are found first.
    await symlink("../../../lib/nvim/parser", join(root, "usr/share/nvim/runtime/parser"));
    await useOwnLibraries(join(root, "usr/bin/nvim"), join(dir, "root"));
    await writeFile(join(partial, "nvim"), wrapper(join(dir, "root")));
    await chmod(join(partial, "nvim"), 0o755);
  });
  return join(dir, "nvim");
}

async function suiteOf(version: NeovimVersion): Promise<string> {
  const seen: string[] = [];
  for (const suite of SUITES[version]) {
    const candidate = (await candidateVersion(suite, "neovim")) ?? "none";
    if (candidate.startsWith(`${version}.`)) return suite;
    seen.push(`${suite} has ${candidate}`);
  }
  return failSetup("missing", `Debian has no Neovim ${version}: ${seen.join(", ")}.`);
}

/**
 * Makes a program of another release run with that release's dynamic linker and libraries, which
 * will lie in `root`. The paths are written into the program. They cannot go on the linker's command
 * line, because Neovim starts itself again (its terminal interface starts its core) by the path that
 * the kernel reports; nor into LD_LIBRARY_PATH, because the programs that Neovim starts need the
 * machine's own libraries.
 */
async function useOwnLibraries(program: string, root: string): Promise<void> {
  const { codename } = await debianMachine();
  const tool = await unpackDebian("patchelf", {
    suite: codename,
    packages: ["patchelf"],
    present: ["libc6"],
  });
  const lib = join(root, "usr/lib", multiarch);
  const linkers = { x64: "ld-linux-x86-64.so.2", arm64: "ld-linux-aarch64.so.1" };
  const linker = join(lib, linkers[process.arch === "arm64" ? "arm64" : "x64"]);
  const edits = ["--set-interpreter", linker, "--force-rpath", "--set-rpath", lib];
  await run(join(tool, "usr/bin/patchelf"), [...edits, program], {
    env: { LD_LIBRARY_PATH: join(tool, "usr/lib", multiarch) },
  });
}

function wrapper(root: string): string {
  const quoted = `'${root.replaceAll("'", "'\\''")}'`;
  return `#!/bin/sh
root=${quoted}
VIMRUNTIME="$root/usr/share/nvim/runtime" exec "$root/usr/bin/nvim" "$@"
`;
}
