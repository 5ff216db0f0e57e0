import type { Place } from "../../test/e2e/place.ts";
import type { Editor } from "../parts/editor.ts";
import type { KeyTimes } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { Person } from "./person.ts";
import type { Random } from "./random.ts";
import type { SoakModel } from "./script.ts";

/** All that the soak plays with. */
export type World = {
  readonly place: Place;
  readonly model: SoakModel;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly keys: KeyTimes;
  /** A Neovim without the plugin, and its times: what the machine allows for. */
  readonly bare: Editor;
  readonly floor: KeyTimes;
  readonly program: string;
  /** How often each thing was done. */
  readonly done: Map<string, number>;
  /** Queries of conversations that were closed, or whose host was killed: the last answer may have no end. */
  readonly cut: Set<number>;
  /** The machine's load average at each sample. */
  readonly loads: number[];
  /** The last things done, the latest last. */
  readonly trace: string[];
  /** What must not happen, and did. */
  readonly faults: string[];
  /** Errors that the user was shown, by their words. */
  readonly errors: Map<string, number>;
  readonly say: (line: string) => void;
};

/** How many of the last things done are told with a fault. */
const TRACE = 12;

/** Notes that something was done, by whom. */
export function note(world: World, name: string, who = ""): void {
  count(world.done, name);
  world.trace.push(who === "" ? name : `${who}: ${name}`);
  if (world.trace.length > TRACE) world.trace.shift();
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Notes a fault. */
export function blame(world: World, fault: string): void {
  const told = `${fault} (after: ${world.trace.join(", ")})`;
  world.faults.push(told);
  world.say(`FAULT ${told}`);
}

/** Starts a person in the world. */
export function startPerson(world: World, name: string): Promise<Person> {
  const { place, keys, program, model } = world;
  return Person.start({ name, program, place, modelUrl: model.server.url, keys });
}

/** Vim's level of errors. */
const ERROR = 4;

/** Notes which queries a person's plugin has taken since the last time, and what it said. */
export async function listen(world: World, person: Person): Promise<void> {
  const { sent, said } = await person.take();
  for (const { buf, text } of sent) world.ledger.take(person.name, buf, text);
  for (const { level, text } of said) {
    if (level < ERROR) continue;
    if (/stack traceback|E5108/.test(text)) blame(world, `an error in Lua: ${text}`);
    const words = text
      .replaceAll(world.place.base, "…")
      .replace(/[0-9a-f]{8,}|\d+/g, "N")
      .slice(0, 160);
    count(world.errors, words);
  }
}
