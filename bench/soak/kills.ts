import { setTimeout as pause } from "node:timers/promises";
import type { Person } from "./person.ts";
import { numbersIn } from "./script.ts";
import { note, type World } from "./world.ts";

/** Ends what one of the programs inside runs in; the pattern must not be its own. */
async function killInside({ place }: World, pattern: string): Promise<void> {
  await place.inside(
    `for p in $(grep -las '${pattern}' /proc/[0-9]*/cmdline); do p=\${p#/proc/}; kill -9 \${p%/cmdline}; done`,
  );
}

/** How long a kill inside may take. */
const KILL_MS = 3_000;

type Kill = {
  readonly name: string;
  readonly weight: number;
  readonly run: (world: World) => Promise<unknown>;
};

/** What both persons share. */
const SHARED: readonly Kill[] = [
  { name: "app-server", weight: 3, run: (world) => killInside(world, "app-serve[r]") },
  { name: "relay", weight: 3, run: (world) => killInside(world, "relay.mj[s]") },
  { name: "keeper", weight: 1, run: (world) => killInside(world, "keeper.s[h]") },
  {
    name: "container",
    weight: 2,
    run: async ({ place }) => {
      for (const { Id } of await place.containers()) await place.docker.getContainer(Id).kill();
    },
  },
];

/** Kills a part of the sandbox, if one runs. */
export async function killShared(world: World, names: readonly string[]): Promise<void> {
  if ((await world.place.containers()).length !== 1) return;
  const kill = world.random.weighted(SHARED);
  note(world, `kill: ${kill.name}`);
  world.ledger.disturbAll(...names);
  world.keys.disturb();
  // What runs inside dies with the container, and the engine does not always say so.
  const inside = kill.run(world).catch(() => {});
  await Promise.race([inside, pause(KILL_MS)]);
  world.keys.disturb();
}

/** Known by their queries: a conversation's file may get its name later. */
async function noteCut({ cut }: World, person: Person): Promise<void> {
  for (const { buf } of await person.chats())
    for (const number of numbersIn(await person.text(buf))) cut.add(number);
}

/** Kills a person's host. */
export async function killHost(world: World, person: Person): Promise<void> {
  const pid = await person.hostPid();
  if (pid === 0) return;
  note(world, "kill: host");
  world.ledger.disturbAll(person.name);
  world.keys.disturb();
  await noteCut(world, person);
  process.kill(pid, "SIGKILL");
}

/** Kills a person's Neovim; its host must end by itself. */
export async function killNeovim(world: World, person: Person): Promise<void> {
  note(world, "kill: Neovim");
  world.ledger.killed(person.name);
  world.ledger.disturbAll(person.name);
  await noteCut(world, person);
  await person.kill();
}
