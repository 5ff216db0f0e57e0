import { readdir, readFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { processesNaming } from "../../test/support/holdings.ts";
import { act } from "./actions.ts";
import { killHost, killNeovim, killShared } from "./kills.ts";
import type { Person } from "./person.ts";
import { comeToRest } from "./quiet.ts";
import { type Sample, takeSample } from "./sample.ts";
import { blame, listen, note, startPerson, type World } from "./world.ts";

/** How long is played between two quiet moments. */
const ROUND_MS = 60_000;
/** The chances of a step of the second person, and of a kill, at each step. */
const SECOND = 0.3;
const KILL = 0.02;
/** The chances that the second person leaves, at each step of theirs. */
const LEAVE = 0.05;
/** The chance that the bare editor is typed into. */
const BARE = 0.1;

/** How long all may take to be gone after the last Neovim has ended. */
const END_MS = 30_000;

/** The person whose Neovim and host live for the whole run, and are measured. */
const STAYS = "the first";
/** The person who comes and goes, and whose Neovim and host are killed. */
const COMES = "the second";

/** Plays until the time is over; returns a sample of each quiet moment. */
export async function play(world: World, ms: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const end = performance.now() + ms;
  let first = await startPerson(world, STAYS);
  let second: Person | undefined;
  while (performance.now() < end) {
    try {
      const roundEnd = Math.min(end, performance.now() + ROUND_MS);
      while (performance.now() < roundEnd) second = await step(world, first, second);
      if (second !== undefined) {
        await rest(world, second);
        second = undefined;
      }
      await comeToRest(world, first);
      await clear(world, first);
      samples.push(await takeSample(first, world.place));
      world.loads.push(loadavg()[0] ?? 0);
      world.say(progress(world, samples));
    } catch (error) {
      blame(world, `a round broke off: ${error instanceof Error ? error.message : error}`);
      await second?.kill().catch(() => {});
      second = undefined;
      world.ledger.disturbAll(STAYS, COMES);
      await first.kill().catch(() => {});
      first = await startPerson(world, STAYS);
      note(world, "start again after a fault");
    }
  }
  await first.quit();
  return samples;
}

/** One thing that somebody does, or that happens. */
async function step(
  world: World,
  first: Person,
  second: Person | undefined,
): Promise<Person | undefined> {
  const { random } = world;
  if (random.chance(BARE)) await typeIntoBare(world);
  if (random.chance(KILL)) await killShared(world, [STAYS, COMES]);
  if (!random.chance(SECOND)) {
    await act(world, first);
    return second;
  }
  if (second === undefined) {
    note(world, "start a second Neovim");
    return startPerson(world, COMES);
  }
  if (random.chance(KILL)) {
    await listen(world, second);
    await killNeovim(world, second);
    return undefined;
  }
  if (random.chance(LEAVE)) {
    await rest(world, second);
    return undefined;
  }
  if (random.chance(2 * KILL)) await killHost(world, second);
  await act(world, second);
  return second;
}

/** Types what is deleted again, under the same load. */
async function typeIntoBare({ bare, floor }: World): Promise<void> {
  await bare.input("<Esc>cc");
  await bare.shown(({ mode }) => mode === "insert");
  await floor.type(bare, "a thought that is not sent");
}

/** The second person comes to rest and leaves. */
async function rest(world: World, person: Person): Promise<void> {
  await comeToRest(world, person);
  note(world, "leave the second Neovim");
  await person.quit();
}

/** Leaves one conversation with one turn, as at every quiet moment. */
async function clear(world: World, person: Person): Promise<void> {
  await person.open("new");
  await person.editor.lua(
    `vim.cmd.stopinsert()
     local keep = vim.api.nvim_get_current_buf()
     for _, it in ipairs(require("codex-chat").chats()) do
       if it.buf ~= keep then vim.api.nvim_buf_delete(it.buf, { force = true }) end
     end
     for _, buf in ipairs(vim.api.nvim_list_bufs()) do
       if buf ~= keep and #vim.fn.win_findbuf(buf) == 0 then
         vim.api.nvim_buf_delete(buf, { force = true })
       end
     end`,
  );
  const { text } = world.ledger.calm();
  await person.type(text);
  await person.send("insert");
  await comeToRest(world, person);
}

function progress(world: World, samples: readonly Sample[]): string {
  const last = samples.at(-1) ?? {};
  const figure = (name: string) => last[name]?.toFixed(1);
  return [
    `${samples.length} quiet moments, ${world.ledger.taken.size} queries`,
    `Neovim ${figure("Neovim: resident, MB")} MB`,
    `host ${figure("host: resident, MB")} MB (heap ${figure("host: heap after a collection, MB")})`,
    `p99 of a key ${world.keys.percentile(99).toFixed(1)} ms`,
    `${world.faults.length} faults`,
  ].join(", ");
}

/**
 * Checks at the end that every query stands in a file, that none was sent twice, and that nothing runs
 * any more.
 */
export async function checkAll(world: World): Promise<void> {
  for (const deadline = performance.now() + END_MS; ; await pause(200)) {
    const left = [
      ...(await world.place.containers()).map(({ Id }) => `the container ${Id}`),
      ...processesNaming(`${world.place.base}/`).map((pid) => `the process ${pid}`),
    ];
    if (left.length === 0) break;
    if (performance.now() > deadline) {
      blame(world, `still there after the end: ${left.join(", ")}`);
      break;
    }
  }
  const texts = await readAll(world.place.state);
  for (const number of world.ledger.taken)
    if (!texts.includes(`q${number}x `) && !world.ledger.mayBeLost.has(number))
      blame(world, `q${number}x is in no file`);
  const { repeated, wereUnderWay } = world.ledger;
  for (const number of world.model.doubled)
    if (!repeated.has(number) && !wereUnderWay.has(number))
      blame(world, `q${number}x was sent twice`);
}

async function readAll(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".md"));
  const texts = await Promise.all(
    files.map((file) => readFile(join(file.parentPath, file.name), "utf8").catch(() => "")),
  );
  return texts.join("\n");
}
