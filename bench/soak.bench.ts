/**
 * What `npm run soak` plays: random use and random kills, for an hour, with real parts (Neovim, the
 * built host, Docker with gVisor, Codex) and a scripted model. It fails if anything has grown, a query
 * was lost or sent twice, an item never ended, or Neovim was slow to answer a key.
 *
 * `--minutes=N` plays for so long; `--seed=N` makes the choices of that seed; `--write` puts the report
 * into `soak.md`.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkout, setUp } from "../scripts/setup/index.ts";
import { tidily } from "./parts/cleanup.ts";
import { Editor } from "./parts/editor.ts";
import { describeMachine } from "./parts/machine.ts";
import { makePlace } from "./parts/place.ts";
import { growthOf } from "./soak/growth.ts";
import { KeyTimes } from "./soak/keys.ts";
import { Ledger } from "./soak/ledger.ts";
import { checkAll, play } from "./soak/play.ts";
import { Random } from "./soak/random.ts";
import { formatReport, isBad } from "./soak/report.ts";
import { SoakModel } from "./soak/script.ts";
import type { World } from "./soak/world.ts";

const minutes = option("minutes") ?? 60;
const seed = option("seed") ?? Date.now() % 1_000_000;
const began = performance.now();

await tidily(async () => {
  say(`seed ${seed}`);
  const ready = await setUp({ neovim: "tested", engine: true });
  if (!ready.ok) throw new Error(ready.error.message);
  const { neovims, engine, baseImage, close } = ready.value;
  const newest = neovims.at(-1);
  if (newest === undefined || engine === undefined) throw new Error("the set-up gave no parts");
  await using place = await makePlace({ host: engine.host, baseImage });
  await using model = await SoakModel.start();
  await using bare = await Editor.start({ program: newest.program });
  const world: World = {
    ...{ place, model, bare, program: newest.program, say },
    ...{ random: new Random(seed), ledger: new Ledger() },
    ...{ keys: new KeyTimes(), floor: new KeyTimes() },
    ...{ done: new Map(), cut: new Set(), loads: [], trace: [], faults: [], errors: new Map() },
  };
  const samples = await play(world, minutes * 60_000);
  await checkAll(world);
  const growth = growthOf(samples);
  const machine = await describeMachine({
    program: newest.program,
    engine: { host: engine.host, baseImage },
  });
  const facts = { seed, minutes, samples: samples.length, machine };
  const report = formatReport(world, growth, facts);
  console.log(`\n${report}`);
  if (process.argv.includes("--write"))
    await writeFile(
      join(checkout, "bench", "soak.md"),
      `# The last soak\n\nWritten by \`npm run soak -- --write\`, which plays all of this again.\n\n${report}\n`,
    );
  if (isBad(world, growth)) process.exitCode = 1;
  await close();
});
// What the packages still hold open, such as idle connections to the engine, need not be waited for.
process.exit();

function option(name: string): number | undefined {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))?.split("=")[1];
  if (given === undefined) return undefined;
  const value = Number(given);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${given}`);
  return value;
}

function say(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed();
  process.stderr.write(`codex-chat: ${seconds.padStart(4)} s  ${line}\n`);
}
