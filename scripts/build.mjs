/**
 * Bundles the host (`src/main.ts` to `dist/host.mjs`), the scripts (`scripts/*.ts` to
 * `dist/scripts/*.mjs`) and the benchmarks, and writes the help's tags. Builds nothing if no input has
 * changed since the last time.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { helpTags } from "./help-tags.mjs";

/**
 * Packages that others load for what the host never does: SSH connections and BuildKit sessions of
 * docker-modem and dockerode, log files of the `neovim` package. ssh2 brings native addons that cannot
 * be bundled; the others are a tenth of the bundle, and grpc alone slows the start by 100 ms.
 */
const LEFT_OUT = /^(ssh2|cpu-features|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|winston)$/;
/**
 * What stands in for those of which something is called.
 * @type {Record<string, string>}
 */
const STAND_INS = {
  winston:
    "module.exports = { createLogger: () => ({ add() {} }), transports: { Console: class {} } };",
};

/** CommonJS packages inside an ES module bundle need the names that Node defines for them otherwise. */
const BANNER =
  'import{createRequire as __createRequire}from"node:module";' +
  'import{fileURLToPath as __fileURLToPath}from"node:url";' +
  "const require=__createRequire(import.meta.url);" +
  "const __filename=__fileURLToPath(import.meta.url);";

const TAGS = join("doc", "tags");
const BUILD_INPUTS = ["scripts/build.mjs", "scripts/help-tags.mjs", "package-lock.json"];

/** @typedef {{ path: string, mtimeMs: number, size: number }} Input */

/**
 * @param {string} root the checkout
 * @returns {Promise<{ files: number, ms: number } | undefined>} undefined when all was up to date
 */
export async function bundle(root) {
  const entries = entriesOf(root);
  const stampPath = join(root, "dist", ".stamp.json");
  if (upToDate(root, stampPath, entries)) return undefined;
  const started = Date.now();
  const { build } = await import("esbuild");
  /** @type {import("esbuild").BuildOptions} */
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    metafile: true,
    write: false,
    logLevel: "warning",
    legalComments: "none",
  };
  const [host, scripts] = await Promise.all([
    build({
      ...common,
      entryPoints: ["src/main.ts"],
      outfile: "dist/host.mjs",
      banner: { js: BANNER },
      plugins: [leaveOut],
    }),
    build({
      ...common,
      entryPoints: entries,
      outbase: root,
      outdir: "dist",
      outExtension: { ".js": ".mjs" },
      // The host has none: parsing one takes 70 ms and 20 MB at its first error.
      sourcemap: true,
      packages: "external",
    }),
  ]);
  const outputs = [...(host.outputFiles ?? []), ...(scripts.outputFiles ?? [])];
  for (const file of outputs) writeWhole(file.path, file.contents);
  writeWhole(join(root, TAGS), helpTags(helpFiles(root)));
  const inputs = new Set([
    ...Object.keys(host.metafile?.inputs ?? {}),
    ...Object.keys(scripts.metafile?.inputs ?? {}),
  ]);
  const stamp = {
    entries,
    outputs: [...outputs.map((file) => relative(root, file.path)), TAGS],
    inputs: [...inputs, ...BUILD_INPUTS, ...Object.keys(helpFiles(root)).map((it) => `doc/${it}`)]
      .filter((path) => !path.startsWith("node_modules/") && !path.includes(":"))
      .map((path) => describe(root, path)),
  };
  writeWhole(stampPath, JSON.stringify(stamp));
  return { files: outputs.length, ms: Date.now() - started };
}

/** @type {import("esbuild").Plugin} */
const leaveOut = {
  name: "leave-out",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: "left-out" }));
    onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: STAND_INS[path] ?? "module.exports = {};",
    }));
  },
};

/** @param {string} root @returns {Record<string, string>} the help's texts, by name */
function helpFiles(root) {
  const names = readdirSync(join(root, "doc")).filter((name) => name.endsWith(".txt"));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(root, "doc", name), "utf8")]),
  );
}

/** @param {string} root @returns {string[]} the scripts and benchmarks */
function entriesOf(root) {
  const bench = existsSync(join(root, "bench")) ? readdirSync(join(root, "bench")) : [];
  return [
    ...readdirSync(join(root, "scripts"))
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => `scripts/${name}`),
    ...bench.filter((name) => name.endsWith(".bench.ts")).map((name) => `bench/${name}`),
  ].sort();
}

/** @param {string} root @param {string} stampPath @param {string[]} entries */
function upToDate(root, stampPath, entries) {
  try {
    /** @type {{ entries: string[], outputs: string[], inputs: Input[] }} */
    const stamp = JSON.parse(readFileSync(stampPath, "utf8"));
    if (stamp.entries.join("\n") !== entries.join("\n")) return false;
    for (const path of stamp.outputs) statSync(join(root, path));
    return stamp.inputs.every((input) => {
      const now = describe(root, input.path);
      return now.mtimeMs === input.mtimeMs && now.size === input.size;
    });
  } catch {
    return false;
  }
}

/** @param {string} root @param {string} path @returns {Input} */
function describe(root, path) {
  const { mtimeMs, size } = statSync(join(root, path));
  return { path, mtimeMs, size };
}

/**
 * Writes under another name and renames, so that a Neovim that starts the host at that moment never
 * reads half a file.
 * @param {string} path @param {string | Uint8Array} contents
 */
function writeWhole(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.tmp`;
  writeFileSync(partial, contents);
  renameSync(partial, path);
}
