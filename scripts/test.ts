/**
 * `npm test`: makes everything ready, lints, runs all suites and ends with one line that counts
 * them. `npm test -- path/filter` runs the files whose path has that part.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linters, runAll } from "./lint/linters.ts";
import {
  checkout,
  environmentOf,
  formatSetupError,
  type Ready,
  setUp,
  toStderr,
} from "./setup/index.ts";
import { parseTestArguments, type TestPlan } from "./test/arguments.ts";
import { addTallies, formatTally, type Tally, tallyOf } from "./test/tally.ts";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(signal));
}

const plan = parseTestArguments(process.argv.slice(2));
const tally = await run(plan);
if (interrupted.signal.aborted) toStderr(`ended by ${interrupted.signal.reason}`);
process.stdout.write(`${formatTally(tally)}\n`);
process.exitCode = tally.failed > 0 || tally.passed === 0 || interrupted.signal.aborted ? 1 : 0;

async function run(plan: TestPlan): Promise<Tally> {
  const ready = await setUp(
    plan.parts ? { neovim: "tested", engine: true, luacheck: plan.lint } : {},
  );
  if (!ready.ok) {
    toStderr(formatSetupError(ready.error));
    return { passed: 0, failed: 1, skipped: 0 };
  }
  try {
    const linted = plan.lint && !interrupted.signal.aborted ? await lintAll(ready.value) : [];
    const tested = interrupted.signal.aborted ? [] : [await vitest(plan, ready.value)];
    return addTallies([...linted, ...tested]);
  } finally {
    await ready.value.close();
  }
}

async function lintAll({ luacheck }: Ready): Promise<readonly Tally[]> {
  if (luacheck === undefined) return [{ passed: 0, failed: 1, skipped: 0 }];
  const results = await runAll(await linters(luacheck));
  return results.map(({ passed }) => ({
    passed: passed ? 1 : 0,
    failed: passed ? 0 : 1,
    skipped: 0,
  }));
}

async function vitest({ filters, options }: TestPlan, ready: Ready): Promise<Tally> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-test-"));
  const reportPath = join(dir, "report.json");
  const program = join(checkout, "node_modules/vitest/vitest.mjs");
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
  try {
    const child = spawn(process.execPath, [program, "run", ...reports, ...options, ...filters], {
      cwd: checkout,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...environmentOf(ready) },
      // A group of its own: of a Ctrl-C it hears once, from here.
      detached: true,
    });
    const stop = () => child.kill("SIGINT");
    interrupted.signal.addEventListener("abort", stop, { once: true });
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? 1));
    });
    interrupted.signal.removeEventListener("abort", stop);
    return tallyOf(await readReport(reportPath), exitCode);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function readReport(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
