/**
 * `npm run attack`: makes everything ready, attacks the product from inside its sandbox, and ends
 * with a table. `npm run attack -- network` runs only the groups whose file name has that part. Fails
 * if an attempt succeeds, or if one fails against its control.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AttackRow, formatTable, isGood, REPORT_VARIABLE } from "../attack/table.ts";
import { environmentOf, formatSetupError, type Ready, setUp, toStderr } from "./setup/index.ts";
import { prepareUser } from "./test/prepare.ts";
import { runVitest, type VitestRun } from "./test/vitest.ts";

const given = process.argv.slice(2);
const filters = given.filter((argument) => !argument.startsWith("-"));
const options = given.filter((argument) => argument.startsWith("-"));
const files = filters.length === 0 ? ["attack/"] : filters.map((filter) => `attack/${filter}`);

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(signal));
}

const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) fail(formatSetupError(ready.error));
try {
  process.exitCode = (await attack(ready.value)) ? 0 : 1;
} finally {
  await ready.value.close();
}

/** Runs the attempts as an ordinary user, even if root started this. */
async function attack(ready: Ready): Promise<boolean> {
  if (process.getuid?.() !== 0) {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-attack-report-"));
    try {
      return await attempts(dir, { user: undefined, env: environmentOf(ready) });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
  const prepared = await prepareUser(ready, { directfs: true });
  if (!prepared.ok) {
    toStderr(formatSetupError(prepared.error));
    return false;
  }
  const { user, env, close } = prepared.value;
  try {
    return await attempts(user.reports, { user, env });
  } finally {
    await close();
  }
}

/** Runs the attempts as tests, showing only those that fail; true if all is well. */
async function attempts(dir: string, how: Pick<VitestRun, "user" | "env">): Promise<boolean> {
  const report = join(dir, "report.jsonl");
  const exitCode = await runVitest({
    user: how.user,
    part: undefined,
    args: ["--reporter=dot", ...options, ...files],
    env: { ...how.env, [REPORT_VARIABLE]: report },
    signal: interrupted.signal,
  });
  const rows = await readRows(report);
  process.stdout.write(`\n${formatTable(rows)}\n`);
  return exitCode === 0 && rows.length > 0 && rows.every(isGood);
}

function fail(message: string): never {
  toStderr(message);
  process.exit(1);
}

async function readRows(path: string): Promise<AttackRow[]> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AttackRow);
}
