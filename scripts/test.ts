/**
 * `npm test`: makes everything ready, lints, runs all suites and ends with one line that counts
 * them. `npm test -- path/filter` runs the files whose path has that part.
 *
 * Started as root, it runs the suites as an ordinary user, and as root what only root can do and
 * a few of the others again. Started by an ordinary user, it leaves out what only root can do.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linters, runAll } from "./lint/linters.ts";
import { environmentOf, formatSetupError, type Ready, setUp, toStderr } from "./setup/index.ts";
import { parseTestArguments, type TestPlan } from "./test/arguments.ts";
import { buildImage } from "./test/image.ts";
import { leftOut } from "./test/left-out.ts";
import { prepareUser } from "./test/prepare.ts";
import { filesToRunAgain, reportOfBoth } from "./test/second-run.ts";
import { addTallies, closingTally, formatTally, type Tally, tallyOf } from "./test/tally.ts";
import type { OrdinaryUser } from "./test/user.ts";
import { runVitest } from "./test/vitest.ts";

/** What could not be done counts as one failure. */
const FAILURE: Tally = { passed: 0, failed: 1, skipped: 0 };

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(signal));
}

const plan = parseTestArguments(process.argv.slice(2));
const tally = closingTally(await run(plan));
if (interrupted.signal.aborted) toStderr(`ended by ${interrupted.signal.reason}`);
process.stdout.write(`${formatTally(tally)}\n`);
process.exitCode = tally.failed > 0 || interrupted.signal.aborted ? 1 : 0;

async function run(plan: TestPlan): Promise<Tally> {
  const ready = await setUp(
    plan.parts ? { neovim: "tested", engine: true, linters: plan.lint } : {},
  );
  if (!ready.ok) {
    toStderr(formatSetupError(ready.error));
    return FAILURE;
  }
  try {
    const isWhole = plan.parts && !plan.isPart;
    // While the linters run.
    const built = isWhole
      ? buildImage(ready.value, interrupted.signal).catch(onNoImage)
      : undefined;
    const linted = plan.lint && !interrupted.signal.aborted ? await lintAll(ready.value) : [];
    await built;
    const tested = interrupted.signal.aborted ? [] : await testAll(plan, ready.value);
    return addTallies([...linted, ...tested]);
  } finally {
    await ready.value.close();
  }
}

function onNoImage(thrown: unknown): void {
  toStderr(`the sandbox's image was not built: ${String(thrown)}`);
}

async function lintAll({ linters: programs }: Ready): Promise<readonly Tally[]> {
  if (programs === undefined) return [FAILURE];
  const results = await runAll(await linters(programs));
  return results.map(({ passed }) => (passed ? { passed: 1, failed: 0, skipped: 0 } : FAILURE));
}

async function testAll(plan: TestPlan, ready: Ready): Promise<readonly Tally[]> {
  if (process.getuid?.() !== 0) return [await vitest(plan, environmentOf(ready))];
  if (plan.rewrites) {
    toStderr("all tests run as root, because they are to rewrite files of the checkout");
    return [await vitest(plan, environmentOf(ready))];
  }
  const prepared = await prepareUser(ready, { directfs: plan.directfs });
  if (!prepared.ok) {
    toStderr(formatSetupError(prepared.error));
    return [FAILURE];
  }
  const { user, env, close } = prepared.value;
  try {
    toStderr(`tests as an ordinary user (uid ${user.uid})`);
    const asUser = await vitest(plan, env, { part: "user", user });
    if (interrupted.signal.aborted) return [asUser];
    toStderr("tests as root");
    return [asUser, await vitest(plan, env, { part: "root" })];
  } finally {
    await close();
  }
}

async function vitest(
  plan: TestPlan,
  env: Record<string, string>,
  how: { readonly part?: "user" | "root"; readonly user?: OrdinaryUser } = {},
): Promise<Tally> {
  const { filters, options } = plan;
  const dir = how.user?.reports ?? (await mkdtemp(join(tmpdir(), "codex-chat-test-")));
  const path = join(dir, "report.json");
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${path}`];
  const { part, user } = how;
  const runOf = async (args: readonly string[]) => {
    await rm(path, { force: true });
    const exitCode = await runVitest({
      ...{ part, user, env, signal: interrupted.signal },
      args: [...reports, ...args],
    });
    return { exitCode, report: await readReport(path) };
  };
  // Of files that were asked for, one part may have none.
  const empty = how.part !== undefined && plan.isPart ? ["--passWithNoTests"] : [];
  try {
    let { exitCode, report } = await runOf([...empty, ...options, ...filters]);
    // A shared machine may pause for longer than any test waits; at a developer's desk a test that
    // needs two attempts fails, since that is to be mended.
    const again = process.env["CI"] === "true" ? filesToRunAgain(report) : [];
    if (again.length > 0 && !interrupted.signal.aborted) {
      for (const file of again) toStderr(`failed and runs a second time: ${file}`);
      const second = await runOf([...options, ...again]);
      report = reportOfBoth(report, second.report);
      exitCode = second.exitCode;
    }
    for (const name of plan.byName ? [] : leftOut(report)) toStderr(`left out: ${name}`);
    return tallyOf(report, exitCode, { mayBeEmpty: empty.length > 0 });
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
