/**
 * `npm run attack`: makes everything ready, attacks the product from inside its sandbox, and ends
 * with a table. `npm run attack -- network` makes the attempts of the groups whose file's name has
 * that part. Fails where an attempt succeeds, and where one fails against its control.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AttackRow, formatTable, isGood, REPORT_VARIABLE } from "../attack/table.ts";
import { checkout, environmentOf, formatSetupError, setUp, toStderr } from "./setup/index.ts";

const given = process.argv.slice(2);
const filters = given.filter((argument) => !argument.startsWith("-"));
const options = given.filter((argument) => argument.startsWith("-"));

const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
const dir = await mkdtemp(join(tmpdir(), "codex-chat-attack-report-"));
try {
  const report = join(dir, "report.jsonl");
  const exitCode = await vitest({ ...environmentOf(ready.value), [REPORT_VARIABLE]: report });
  const rows = await readRows(report);
  process.stdout.write(`\n${formatTable(rows)}\n`);
  process.exitCode = exitCode === 0 && rows.length > 0 && rows.every(isGood) ? 0 : 1;
} finally {
  await rm(dir, { recursive: true, force: true });
  await ready.value.close();
}

/** Runs the attempts as tests, of which only those that fail are shown. */
function vitest(env: Record<string, string>): Promise<number> {
  const program = join(checkout, "node_modules/vitest/vitest.mjs");
  const files = filters.length === 0 ? ["attack/"] : filters.map((filter) => `attack/${filter}`);
  const child = spawn(process.execPath, [program, "run", "--reporter=dot", ...options, ...files], {
    cwd: checkout,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
    // A group of its own: of a Ctrl-C it hears once, from here.
    detached: true,
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill("SIGINT"));
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

async function readRows(path: string): Promise<AttackRow[]> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AttackRow);
}
