/**
 * `npm run soak`: makes everything ready and plays what bench/soak.bench.ts says, for an hour.
 * `npm run soak -- --minutes 3 --seed 7` plays three minutes of that seed; `--write` writes the report.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { checkout, environmentOf, formatSetupError, setUp, toStderr } from "./setup/index.ts";

const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
// `--minutes 3` and `--minutes=3` are the same.
const given = process.argv
  .slice(2)
  .join(" ")
  .replace(/(--\w+) (?=\d)/g, "$1=");
const args = given.split(" ").filter((word) => word !== "");
const soak = spawn(
  process.execPath,
  ["--enable-source-maps", join(checkout, "dist/bench/soak.bench.mjs"), ...args],
  { stdio: "inherit", env: { ...process.env, ...environmentOf(ready.value) } },
);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => void soak.kill(signal));
process.exitCode = await new Promise<number>((resolve, reject) => {
  soak.on("error", reject);
  soak.on("exit", (code) => resolve(code ?? 1));
});
await ready.value.close();
