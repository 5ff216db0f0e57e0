/**
 * What `npm run bench` measures: the plugin end to end with real parts (Neovim, the built host, Docker
 * with gVisor, Codex) and a scripted model, each figure beside its floor in the same run. The floors are
 * in `floors/`: they do the same work with nothing else.
 *
 * `--quick` measures less often and shorter; `--write` puts the table into `results.md`.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkout, setUp } from "../scripts/setup/index.ts";
import { tidily } from "./parts/cleanup.ts";
import { describeMachine } from "./parts/machine.ts";
import type { Run } from "./parts/run.ts";
import { formatTable, isMissed, NOISE, type Row } from "./parts/table.ts";
import { checkpoints } from "./rows/checkpoints.ts";
import { list } from "./rows/list.ts";
import { start } from "./rows/start.ts";
import { streaming } from "./rows/streaming.ts";
import { turns } from "./rows/turns.ts";

const isQuick = process.argv.includes("--quick");
const began = performance.now();

await tidily(async () => {
  const ready = await setUp({ neovim: "tested", engine: true });
  if (!ready.ok) throw new Error(ready.error.message);
  const { neovims, engine, baseImage, close } = ready.value;
  const newest = neovims.at(-1);
  if (newest === undefined || engine === undefined) throw new Error("the set-up gave no parts");
  const rows: Row[] = [];
  const notes: string[] = [];
  const run: Run = {
    program: newest.program,
    engine: { host: engine.host, baseImage },
    isQuick,
    add: (row) => {
      rows.push(row);
      say(`${row.what}: ${row.measured.toFixed(1)} ${row.unit}, floor ${row.floor.toFixed(1)}`);
    },
    note: (note) => {
      notes.push(note);
      say(`  ${note}`);
    },
  };
  for (const measure of [streaming, turns, start, list, checkpoints]) await measure(run);

  const machine = await describeMachine(run);
  const missed = rows.filter(isMissed).length;
  const verdict =
    missed === 0
      ? `No target is missed by more than noise (${NOISE * 100} % over it).`
      : `${missed} of ${rows.length} targets are missed by more than noise (${NOISE * 100} % over).`;
  const table = formatTable(rows);
  const parts = notes.map((note) => `- ${note}`).join("\n");
  console.log(`\n${table}\n\n${parts}\n\n${verdict}\n${machine}`);
  if (process.argv.includes("--write"))
    await writeFile(
      join(checkout, "bench", "results.md"),
      `# The last benchmark\n\nWritten by \`npm run bench -- --write\`, which measures all of this again.${
        isQuick ? " This one was quick." : ""
      } CPU is user and system time, in ms.\n\n${table}\n\n${parts}\n\n${verdict}\n\n${machine}\n`,
    );
  await close();
  if (missed > 0) process.exitCode = 1;
});
// What the packages still hold open, such as idle connections to the engine, need not be waited for.
process.exit();

function say(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed();
  process.stderr.write(`codex-chat: ${seconds.padStart(3)} s  ${line}\n`);
}
