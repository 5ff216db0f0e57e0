import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { Progress } from "../../log.ts";
import { quoteForShell } from "../../look.ts";
import { childEnv } from "../../programs.ts";
import { err, ok, type Result } from "../../result.ts";
import { type MachineLock, takeLock } from "../../sandbox/locks/index.ts";
import { type Failure, failureOf } from "../failure.ts";

/** What `npm ci` fetches in a release: `@openai/codex` 0.171.0 for Linux (172 MB) and npm. */
export const DOWNLOAD = "Codex's programs for the sandbox (175 MB)";

/** The npm of a release, which a checkout does not have (`scripts/release/tree.ts`). */
const NPM = "dist/npm/bin/npm-cli.js";

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
  onProgress(`downloading ${DOWNLOAD}, once per version`);
  let lock: MachineLock;
  try {
    const place = { dir: join(stateDir, "locks"), name: `packages ${dir}` };
    const onWait = (holder: string) => onProgress(`waiting to download ${DOWNLOAD}: ${holder}`);
    lock = await takeLock(place, { signal, onWait });
  } catch (thrown) {
    signal.throwIfAborted();
    return err(failureOf("codex_missing", `${DOWNLOAD} could not be downloaded`, thrown));
  }
  using _lock = lock;
  if (await options.isThere()) return ok(undefined);
  // SECURITY: the program and its directory are the plugin's, and no script of a package is run.
  const npm = await execa(
    process.execPath,
    [NPM, "ci", "--ignore-scripts", "--loglevel=error", ...QUIET],
    {
      cwd: dir,
      reject: false,
      stdin: "ignore",
      all: true,
      maxBuffer: 64 * 1024,
      cancelSignal: signal,
      extendEnv: false,
      env: childEnv(),
    },
  );
  signal.throwIfAborted();
  if (!npm.failed) return ok(undefined);
  return err({
    kind: "codex_missing",
    message: `${DOWNLOAD} could not be downloaded: ${reasonOf(npm.all)}`,
    fix: packagesCommand(dir),
  });
}

/** npm's own reason: its first two lines of errors, without their prefix. */
function reasonOf(output: string): string {
  const lines = [...output.matchAll(/^npm (?:error|ERR!) (?!code |A complete log)(.*\S.*)$/gm)];
  return lines.length === 0
    ? "npm gave no reason."
    : lines
        .slice(0, 2)
        .map(([, line]) => line?.trim())
        .join(" ");
}
