/** Runs vitest as the person who started the run, as root, or as an ordinary user. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { checkout } from "../setup/index.ts";
import type { OrdinaryUser } from "./user.ts";

/** One run of vitest. */
export type VitestRun = {
  /** Who runs it; undefined for who started this script. */
  readonly user: OrdinaryUser | undefined;
  /** Which tests; see `vitest.config.ts`. Undefined for all. */
  readonly part: "user" | "root" | undefined;
  /** Arguments after `vitest run`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends it as Ctrl-C does. */
  readonly signal: AbortSignal;
};

/** Runs vitest and gives its exit code. */
export async function runVitest({ user, part, args, env, signal }: VitestRun): Promise<number> {
  const program = join(checkout, "node_modules/vitest/vitest.mjs");
  const argv = [program, "run", ...args];
  const options = {
    stdio: ["ignore", "inherit", "inherit"] as ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      ...env,
      ...(part === undefined ? {} : { CODEX_CHAT_TEST_PART: part }),
    },
    // A group of its own: of a Ctrl-C it hears once, from here.
    detached: true,
  };
  const child =
    user === undefined
      ? spawn(process.execPath, argv, { ...options, cwd: checkout })
      : user.spawn([process.execPath, ...argv], options);
  const stop = () => child.kill("SIGINT");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
