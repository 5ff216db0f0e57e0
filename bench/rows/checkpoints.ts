/** Row 10: what recording the project costs beside a turn. */

import { lstatSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkpoints } from "../../src/workspace/checkpoints/index.ts";
import { atEnd } from "../parts/cleanup.ts";
import { median, repeat } from "../parts/figures.ts";
import type { Run } from "../parts/run.ts";

const DIRS = 800;
const FILES_PER_DIR = 50;
/** The user's own limit for a checkpoint in the background. */
const LIMIT_MS = 300;

/** Takes checkpoints of a large project after a small change. */
export async function checkpoints({ isQuick, add, note }: Run): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "codex-chat-bench-"));
  const remove = atEnd(() => rm(base, { recursive: true, force: true }));
  const root = join(base, "project");
  for (let dir = 0; dir < DIRS; dir++) {
    const at = join(root, `part${dir % 20}`, `dir${dir}`);
    await mkdir(at, { recursive: true });
    for (let file = 0; file < FILES_PER_DIR; file++)
      await writeFile(join(at, `file${file}.ts`), `export const n = ${dir * file};\n`);
  }
  const recording = new Checkpoints({
    ...{ root, dir: join(base, "state"), excludes: async () => "", foreign: () => [] },
    // The files are younger than two seconds, and would all be read again.
    bounds: { racyMs: 0 },
  });
  const take = async () => {
    const taken = await recording.take({ signal: new AbortController().signal });
    if (!taken.ok) throw new Error(taken.error.message);
  };
  const first = await timed(take);
  const cpu: number[] = [];
  const times = await repeat(isQuick ? 7 : 15, async (n) => {
    await writeFile(join(root, "part0", "dir0", "file0.ts"), `changed ${n}\n`);
    const before = process.cpuUsage();
    const ms = await timed(take);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
    return ms;
  });
  const walks = await repeat(isQuick ? 7 : 15, () => timed(async () => walk(root)));
  note(`first checkpoint ${first.toFixed()} ms; a later one ${median(cpu).toFixed()} ms of CPU`);
  add({
    what: `checkpoint of ${(DIRS * FILES_PER_DIR).toLocaleString("en")} files after a small change`,
    ...{ unit: "ms", measured: median(times), floor: median(walks), floorIs: "a bare walk" },
    ...{ limit: LIMIT_MS, target: `${LIMIT_MS} ms` },
  });
  await recording.close();
  await remove();
}

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

/** Asks the kernel about each file, and nothing else. */
function walk(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) walk(path);
    else lstatSync(path);
  }
}
