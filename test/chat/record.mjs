#!/usr/bin/env node
/**
 * Records golden streams again from the pinned app-server, run on this machine against a scripted
 * model: `node test/chat/record.mjs [word in the name]…`. Then `npm test -- test/chat -u` writes
 * their transcripts; read those before you commit them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
// Beside the dependencies, which are not bundled.
const out = mkdtempSync(join(here, "..", "..", "node_modules", ".record-"));
try {
  await build({
    entryPoints: [join(here, "record.ts")],
    outfile: join(out, "record.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    // The bundle lies elsewhere; recordings name their fixtures by where their source is.
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(here, "record.ts")).href) },
    logLevel: "error",
  });
  const { record } = await import(pathToFileURL(join(out, "record.mjs")).href);
  await record(join(here, "golden"), process.argv.slice(2));
} finally {
  rmSync(out, { recursive: true, force: true });
}
