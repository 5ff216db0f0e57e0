/**
 * `npm run bench`: makes everything ready and measures the table of bench/table.bench.ts.
 * `npm run bench -- NAME` runs the benchmarks whose name has that part instead, in turn, each in a
 * process of its own; they are given the options.
 */
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkout, environmentOf, formatSetupError, setUp, toStderr } from "./setup/index.ts";

const filters = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const options = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const dir = join(checkout, "dist/bench");
const names = (await readdir(dir).catch(() => []))
  .filter((name) => name.endsWith(".bench.mjs"))
  .filter((name) =>
    (filters.length === 0 ? ["table"] : filters).some((filter) => name.includes(filter)),
  );
if (names.length === 0) {
  toStderr("no benchmark in bench/ has such a name");
  process.exit(1);
}
const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
let running: ReturnType<typeof spawn> | undefined;
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    stopped = true;
    running?.kill(signal);
  });
}
const failed: string[] = [];
for (const name of names.sort()) {
  if (stopped) break;
  toStderr(`bench/${name.replace(/\.mjs$/, ".ts")}`);
  const code = await bench(join(dir, name), environmentOf(ready.value));
  if (code !== 0) failed.push(name);
}
await ready.value.close();
if (failed.length > 0) toStderr(`failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 || stopped ? 1 : 0;

function bench(file: string, env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    running = spawn(process.execPath, ["--enable-source-maps", file, ...options], {
      stdio: "inherit",
      env: { ...process.env, ...env },
    });
    running.on("error", reject);
    running.on("exit", (code) => resolve(code ?? 1));
  });
}
