/**
 * Bundles the host (`src/main.ts` to `dist/host.mjs` and `dist/host/`), the scripts (`scripts/*.ts` to
 * `dist/scripts/*.mjs`) and the benchmarks, and writes the help's tags. Builds nothing if no input has
 * changed since the last time.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { helpTags } from "./help-tags.mjs";

/**
 * Packages that others load for what the host never does: SSH connections and BuildKit sessions of
 * docker-modem and dockerode, log files of the `neovim` package. ssh2 brings native addons that cannot
 * be bundled; the others are a tenth of the bundle, and grpc alone slows the start by 100 ms. `debug`
 * is what docker-modem tells its requests to.
 */
const LEFT_OUT =
  /^(ssh2|cpu-features|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|winston|debug)$/;
/**
 * What stands in for those of which something is called.
 * @type {Record<string, string>}
 */
const STAND_INS = {
  debug: "module.exports = () => () => {};",
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
/** How old a part of the host must be to be of no use to anybody, unless it is built again. */
const OLD_MS = 14 * 24 * 3600 * 1000;
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
      entryPoints: { host: "src/main.ts" },
      outdir: "dist",
      outExtension: { ".js": ".mjs" },
      splitting: true,
      chunkNames: "host/[name]-[hash]",
      banner: { js: BANNER },
      plugins: [leaveOut, splitIn(root)],
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
  removeOldParts(join(root, "dist", "host"));
  writeWhole(join(root, TAGS), helpTags(helpFiles(root)));
  const inputs = new Set([
    ...Object.keys(host.metafile?.inputs ?? {}),
    ...Object.keys(scripts.metafile?.inputs ?? {}),
  ]);
  const stamp = {
    entries,
    outputs: [...outputs.map((file) => relative(root, file.path)), TAGS],
    inputs: [
      ...inputs,
      ...BUILD_INPUTS,
      ...Object.keys(helpFiles(root)).map((name) => `doc/${name}`),
    ]
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

/** An import or re-export by name from another folder's door. */
const BY_DOOR = /^(import|export) (type )?\{([^}]*)\} from "(\.[^"]*\/index\.ts)";/gm;

/** An import when first needed. */
const LATE = /\bimport\("([^"]+)"\)/g;

/**
 * Splits the host in two: what a chat needs at once, and all that is imported when first needed.
 *
 * - Takes each name from the file that it comes from instead of its folder's door. esbuild splits by
 *   files: whoever imports one name by a door would load all that stands behind it.
 * - Makes one module of all that is imported late, because each would have a file of its own, and
 *   one for each set of files that it shares with others; loading a file takes half a millisecond.
 *
 * @param {string} root
 * @returns {import("esbuild").Plugin}
 */
function splitIn(root) {
  const late = lateModules(root);
  return {
    name: "split",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^late$/ }, () => ({ path: "late", namespace: "late" }));
      onLoad({ filter: /.*/, namespace: "late" }, () => ({
        contents: late.map((path, n) => `export * as m${n} from ${JSON.stringify(path)};`).join(""),
        resolveDir: root,
      }));
      onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, "utf8")
          .replace(BY_DOOR, (_, verb, isType, names, door) =>
            isType === undefined ? pastDoor(verb, names, door, dirname(path)) : "",
          )
          .replace(LATE, (_, target) => {
            const n = late.indexOf(lateName(path, target));
            return `import("late").then((late) => late.m${n})`;
          }),
        loader: "ts",
      }));
    },
  };
}

/** @param {string} root @returns {string[]} the modules that are imported when first needed */
function lateModules(root) {
  const dir = join(root, "src");
  const paths = readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => join(dir, path));
  const found = paths.flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(LATE)].map(([, to]) => lateName(path, to ?? "")),
  );
  return [...new Set(found)].sort();
}

/** @param {string} from @param {string} to @returns {string} a path, or the name of a package */
function lateName(from, to) {
  return to.startsWith(".") ? join(dirname(from), to) : to;
}

/** @param {string} verb @param {string} names @param {string} door @param {string} from */
function pastDoor(verb, names, door, from) {
  const origins = originsOf(join(from, door));
  return names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => {
      const origin = origins.get(name);
      const target = origin === undefined ? door : `${dirname(door)}/${origin.slice(2)}`;
      return `${verb} { ${name} } from "${target}";`;
    })
    .join(" ");
}

/**
 * @param {string} door
 * @returns {Map<string, string>} the files that its names come from; without those that it declares
 */
function originsOf(door) {
  const text = readFileSync(door, "utf8");
  return new Map(
    [...text.matchAll(/^export \{([^}]*)\} from "(\.\/[^"]+)";/gm)].flatMap(([, names, from]) =>
      (names ?? "").split(",").map((name) => /** @type {const} */ ([name.trim(), from ?? ""])),
    ),
  );
}

/** @param {string} root @returns {Record<string, string>} the help's texts, by name */
function helpFiles(root) {
  const names = readdirSync(join(root, "doc")).filter((name) => name.endsWith(".txt"));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(root, "doc", name), "utf8")]),
  );
}

/**
 * Removes parts of earlier builds. A host that runs loads the parts of its own build, which may be
 * days after it was started.
 * @param {string} dir
 */
function removeOldParts(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (Date.now() - statSync(path).mtimeMs > OLD_MS) rmSync(path, { force: true });
  }
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
