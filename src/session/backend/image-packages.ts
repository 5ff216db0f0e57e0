import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { Progress } from "../../log.ts";
import { quoteForShell } from "../../look.ts";
import { childEnv } from "../../programs.ts";
import { err, ok, type Result } from "../../result.ts";
import { type MachineLock, takeLock } from "../../sandbox/locks/index.ts";
import { type Failure, failureOf } from "../failure.ts";
import { COUNTING, followDownload } from "./download-progress.ts";

/** What `npm ci` fetches in a release: `@openai/codex` 0.171.0 for Linux (172 MB) and npm. */
const SIZE = "175 MB";
export const DOWNLOAD = `Codex's programs for the sandbox (${SIZE})`;

/** The npm of a release, which a checkout does not have (`scripts/release/tree.ts`). */
const NPM = "dist/npm/bin/npm-cli.js";

const CHANGED =
  "its hash is not the one in package-lock.json. A mirror or a proxy may have changed it.";

/** npm's codes for a connection that ended before the answer did. */
const BROKEN_OFF = new Set(["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "EPIPE"]);

/** Asks the registry for nothing but the packages. */
const QUIET = ["--no-audit", "--no-fund", "--no-update-notifier"];

/** The command that installs the packages for the image. */
export function packagesCommand(dir: string): string {
  const npm = canFetchPackages(dir) ? `node ${NPM} ci` : "npm ci --omit=dev --include=optional";
  return `cd ${quoteForShell(dir)} && ${npm}`;
}

/** Whether the plugin in this directory is a release, which fetches the packages by itself. */
export function canFetchPackages(dir: string): boolean {
  return existsSync(join(dir, NPM));
}

/**
 * Fetches the packages for the sandbox's image into a release, in the versions and with the hashes
 * of its lock file, as the user's npm configuration says (registry, proxy, certificates). Another
 * Neovim that does the same is waited for; `isThere` is asked after that.
 *
 * Errors: `codex_missing`. Rejects with `signal.reason`.
 */
export async function fetchPackages(options: {
  readonly dir: string;
  readonly stateDir: string;
  readonly signal: AbortSignal;
  readonly onProgress: (what: Progress) => void;
  readonly isThere: () => Promise<boolean>;
}): Promise<Result<void, Failure>> {
  const { dir, stateDir, signal, onProgress } = options;
  onProgress({ text: `Downloading Codex, once: ${SIZE}`, shorter: ["Downloading Codex"] });
  let lock: MachineLock;
  try {
    const place = { dir: join(stateDir, "locks"), name: `packages ${dir}` };
    const onWait = (holder: string) =>
      onProgress({
        text: `Waiting for another Neovim to download Codex: ${holder}`,
        shorter: ["Waiting for another Neovim"],
      });
    lock = await takeLock(place, { signal, onWait });
  } catch (thrown) {
    signal.throwIfAborted();
    return err(failureOf("codex_missing", `${DOWNLOAD} could not be downloaded`, thrown));
  }
  using _lock = lock;
  if (await options.isThere()) return ok(undefined);
  // SECURITY: the program and its directory are the plugin's, and no script of a package is run.
  const running = execa(
    process.execPath,
    [...COUNTING, NPM, "ci", "--ignore-scripts", "--loglevel=error", ...QUIET],
    {
      cwd: dir,
      reject: false,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      all: true,
      maxBuffer: 64 * 1024,
      cancelSignal: signal,
      extendEnv: false,
      env: childEnv(),
    },
  );
  followDownload(running.stdio[3], onProgress);
  const npm = await running;
  signal.throwIfAborted();
  if (!npm.failed) return ok(undefined);
  return err({
    kind: "codex_missing",
    message: `${DOWNLOAD} could not be downloaded: ${reasonOf(npm.all)}`,
    fix: packagesCommand(dir),
  });
}

/** The reason in plain words where npm's code says it; else npm's own first two lines of errors. */
function reasonOf(output: string): string {
  const lines = [...output.matchAll(/^npm (?:error|ERR!) (.*\S.*)$/gm)].map(
    ([, line = ""]) => line,
  );
  const code = lines.find((line) => line.startsWith("code "))?.slice("code ".length);
  if (code === "EINTEGRITY") return CHANGED;
  if (BROKEN_OFF.has(code ?? "")) return "the connection broke off.";
  const own = lines.filter((line) => !/^(?:code |A complete log)/.test(line));
  return own.length === 0 ? "npm gave no reason." : own.slice(0, 2).join(" ");
}
