import { readdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import * as z from "zod";
import type { TarEntry } from "../../tar.ts";

const Manifest = z.object({ version: z.string() });

/** The files of the package that the image needs. */
const PARTS = ["bin", "lib", "node_modules"] as const;
const FILES = ["package.json", "index.js", "LICENSE"] as const;

/** The npm that is installed with the plugin. */
export type NpmPackage = { readonly version: string; readonly entries: readonly TarEntry[] };

/**
 * Finds `npm` beside the module `from` (a file URL or path) and lists its files for the image
 * under `npm/`. Rejects if it is not installed.
 */
export async function findNpmPackage(from: string): Promise<NpmPackage> {
  const manifest = createRequire(from).resolve("npm/package.json");
  const dir = dirname(manifest);
  const { version } = Manifest.parse(JSON.parse(await readFile(manifest, "utf8")));
  const below = await Promise.all(
    PARTS.map((part) => readdir(join(dir, part), { recursive: true, withFileTypes: true })),
  );
  // Links are only in `.bin`, which npm itself does not use.
  const found = below.flat().filter((entry) => entry.isFile());
  const paths = [
    ...FILES.map((file) => join(dir, file)),
    ...found.map((entry) => join(entry.parentPath, entry.name)),
  ];
  const entries = paths.sort().map((path) => ({ name: `npm/${relative(dir, path)}`, path }));
  const executable = new Set(["npm/bin/npm-cli.js", "npm/bin/npx-cli.js"]);
  return {
    version,
    entries: await Promise.all(
      entries.map(async (entry) =>
        executable.has(entry.name) || ((await stat(entry.path)).mode & 0o100) !== 0
          ? { ...entry, executable: true }
          : entry,
      ),
    ),
  };
}
