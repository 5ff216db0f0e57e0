#!/usr/bin/env node
/**
 * The entry point of every verb (`npm run try`, `npm test`, …): brings dependencies and bundles up to
 * date, then runs the verb's script with the arguments, stdio and signals of the caller. It is plain
 * JavaScript without dependencies, because it runs in a fresh clone.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { withLock } from "./lock.mjs";

const VERBS = [
  "try",
  "test",
  "build",
  "setup",
  "lint",
  "format",
  "bench",
  "soak",
  "attack",
  "codex-update",
  "release",
  "engine",
  "picture",
];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [verb, ...args] = process.argv.slice(2);

checkNode();
if (verb === undefined || !VERBS.includes(verb)) {
  fail(`usage: node scripts/run.mjs <verb> [arguments]\nverbs: ${VERBS.join(", ")}`);
}
const locks = join(root, ".cache", `locks-${process.geteuid?.()}`);
await withLock({ dir: locks, name: `run:${root}` }, prepare, {
  onWait: () => say("waiting for another run in this checkout to finish its build"),
});
if (verb !== "build") process.exit(await runScript(verb));

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(
    `Node ${process.versions.node} is too old: 20.19 or newer is needed.\n` +
      "Install a newer one (on Debian trixie: apt-get install nodejs npm) and run this again.",
  );
}

async function prepare() {
  await installPackages();
  const build = await import(pathToFileURL(join(root, "scripts", "build.mjs")).href);
  /** @type {{ files: number, ms: number } | undefined} */
  const built = await build.bundle(root);
  if (verb !== "build") return;
  say(built === undefined ? "everything is up to date" : `bundled in ${built.ms} ms`);
}

async function installPackages() {
  const lock = join(root, "package-lock.json");
  const installed = modified(join(root, "node_modules", ".package-lock.json"));
  if (installed > 0 && installed >= modified(lock)) return;
  // A checkout of another commit makes the lock file newer; what counts is whether it differs.
  const stamp = join(root, "node_modules", ".installed-from");
  const hash = createHash("sha256").update(readFileSync(lock)).digest("hex");
  if (installed > 0 && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  const started = Date.now();
  // npm's own output goes to stderr: the verb's stdout stays the verb's.
  const npm = spawn("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    // The npm among the packages is for the sandbox's image; it would remove itself.
    env: { ...process.env, PATH: withoutOwn(process.env["PATH"] ?? "") },
  });
  const code = await exitOf(npm);
  if (code !== 0) fail(`npm ci failed (exit ${code}). Its own output is above.`);
  writeFileSync(stamp, hash);
  say(`npm packages installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** @param {string} path @returns {string} without the directories of installed packages' programs */
function withoutOwn(path) {
  const own = join("node_modules", ".bin");
  return path
    .split(delimiter)
    .filter((dir) => !dir.endsWith(own))
    .join(delimiter);
}

/** @param {string} name */
async function runScript(name) {
  const script = join(root, "dist", "scripts", `${name}.mjs`);
  if (modified(script) === 0) fail(`scripts/${name}.ts is missing in ${listScripts()}`);
  const child = spawn(process.execPath, ["--enable-source-maps", script, ...args], {
    stdio: "inherit",
  });
  // A terminal sends Ctrl-C to both; a signal sent to this process alone has to be passed on.
  // Either way the script decides when to end, after it has cleaned up.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => child.kill(signal));
  }
  return exitOf(child);
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number>} the exit code, or 128 plus the signal's number, as in a shell
 */
function exitOf(child) {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      say(error.message);
      resolve(127);
    });
    child.on("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** @param {string} path @returns {number} milliseconds since the epoch; 0 if it does not exist */
function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function listScripts() {
  return readdirSync(join(root, "scripts")).join(", ");
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`codex-chat: ${text}\n`);
}

/** @param {string} text @returns {never} */
function fail(text) {
  say(text);
  process.exit(1);
}
