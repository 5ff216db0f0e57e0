import { access, readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as z from "zod";
import { err, ok, type Result } from "../../result.ts";
import type { TarEntry } from "../../tar.ts";
import type { SandboxError } from "../error.ts";
import { findNpmPackage } from "./npm-package.ts";

/** The npm packages in the image: Codex's programs for this machine, and npm itself. */
export type CodexPackage = {
  /** Codex's version. */
  readonly version: string;
  /** The path of the program itself, without the npm package's start script. */
  readonly program: string;
  /** npm's version; absent if npm is not part of the image. */
  readonly npmVersion?: string;
  /** Files for the image, under `codex/` and `npm/`; without voice and Codex's own sandbox. */
  readonly entries: readonly TarEntry[];
};

const Manifest = z.object({ version: z.string() });

const PROGRAM = "bin/codex";

/** The files of the vendor directory that the image needs (@openai/codex 0.171.0). */
const FILES: readonly { name: string; executable: boolean; required: boolean }[] = [
  { name: PROGRAM, executable: true, required: true },
  { name: "bin/codex-code-mode-host", executable: true, required: true },
  { name: "codex-path/rg", executable: true, required: false },
  { name: "codex-package.json", executable: false, required: false },
];

/**
 * Finds the platform package of `@openai/codex` beside the module `from` (a file URL or path) and
 * npm, and lists their files for the image. The image is for this machine's architecture.
 *
 * Errors: `codex_missing`.
 */
export async function findCodexPackage(
  from: string,
  arch: string = process.arch,
): Promise<Result<CodexPackage, SandboxError>> {
  const name = `@openai/codex-linux-${arch}`;
  try {
    // npm may hoist the platform package, or put it into the main package's node_modules.
    const main = createRequire(from).resolve("@openai/codex/package.json");
    const manifestPath = createRequire(main).resolve(`${name}/package.json`);
    const codex = await readCodexPackage(dirname(manifestPath));
    if (!codex.ok) return codex;
    const npm = await findNpmPackage(from);
    const entries = [...codex.value.entries, ...npm.entries];
    return ok({ ...codex.value, npmVersion: npm.version, entries });
  } catch (cause) {
    return err(missing(name, cause));
  }
}

/** Reads an installed platform package; `dir` holds its `package.json` and `vendor/`. */
async function readCodexPackage(dir: string): Promise<Result<CodexPackage, SandboxError>> {
  try {
    const { version } = Manifest.parse(
      JSON.parse(await readFile(join(dir, "package.json"), "utf8")),
    );
    const triples = await readdir(join(dir, "vendor"));
    const vendor = join(dir, "vendor", triples[0] ?? "");
    const entries: TarEntry[] = [];
    for (const file of FILES) {
      const path = join(vendor, file.name);
      try {
        await access(path);
      } catch (cause) {
        if (file.required) throw cause;
        continue;
      }
      entries.push({ name: `codex/${file.name}`, path, executable: file.executable });
    }
    return ok({ version, program: join(vendor, PROGRAM), entries });
  } catch (cause) {
    return err(missing(dir, cause));
  }
}

function missing(what: string, cause: unknown): SandboxError {
  return {
    kind: "codex_missing",
    message: `The programs for the sandbox's image (${what}, npm) are not installed with the plugin.`,
    fix: "In the plugin's directory: npm ci --omit=dev --include=optional",
    cause,
  };
}
