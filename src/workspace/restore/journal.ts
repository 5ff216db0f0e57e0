import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { codeOf } from "../../error-code.ts";
import { parseJson } from "../../parse-json.ts";
import { bootId, isAlive, pidNamespace, startTimeOf } from "../../process/index.ts";
import type { Plan } from "./change.ts";

const TreeFile = z.object({ kind: z.enum(["100644", "100755", "120000"]), oid: z.string() });
const Step = z.object({
  path: z.string(),
  from: TreeFile.optional(),
  to: TreeFile.optional(),
  mode: z.int().optional(),
  needs: z.string().optional(),
});

/** A change that was begun: all that is needed to complete it. */
export const JournalEntry = z.object({
  id: z.string(),
  /** What the change is, in the words of a message: "taking back turn 3". */
  title: z.string(),
  /** The checkpoints before and after it. */
  before: z.object({ commit: z.string(), tree: z.string() }),
  after: z.object({ commit: z.string(), tree: z.string() }),
  steps: z.array(Step),
  makeDirs: z.array(z.string()),
  removeDirs: z.array(z.string()),
  dirModes: z.array(z.tuple([z.string(), z.int()])),
  /** What is to be recorded once it is complete; the journal does not look at it. */
  note: z.unknown(),
});
export type JournalEntry = Readonly<z.infer<typeof JournalEntry>>;

/** A change in the journal. */
export type Begun = {
  readonly entry: JournalEntry;
  /** The process that does it, as `ownProcess` names it: another host leaves it alone. */
  readonly process: string;
  readonly file: string;
};

/** The steps of a plan as they are written into the journal. */
export function journalled({ steps, makeDirs, removeDirs, dirModes }: Plan) {
  return {
    steps: steps.map((step) => ({ ...step })),
    makeDirs: [...makeDirs],
    removeDirs: [...removeDirs],
    dirModes: [...dirModes].map(([dir, mode]): [string, number] => [dir, mode]),
  };
}

/**
 * Changes that have begun and are not over, each in a file of its own. It is written before the first
 * file of the project is touched and removed after the last, so that a host that starts after a crash
 * knows what is half done.
 *
 * The file's name has the process that does it. A host that completes the change gives it its own: of
 * two that try, one finds it gone.
 */
export class Journal {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = join(dir, "journal");
  }

  async begin(entry: JournalEntry): Promise<Begun> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const process = await ownProcess();
    const file = fileOf(entry.id, process);
    await writePrivate(join(this.#dir, file), JSON.stringify(entry));
    return { entry, process, file };
  }

  /** Takes a change over from a process that is gone; undefined if another one has. */
  async claim({ entry, file }: Begun): Promise<Begun | undefined> {
    const process = await ownProcess();
    const own = fileOf(entry.id, process);
    try {
      await rename(join(this.#dir, file), join(this.#dir, own));
    } catch (cause) {
      if (codeOf(cause) !== "ENOENT") throw cause;
      return undefined;
    }
    return { entry, process, file: own };
  }

  async end({ file }: Begun): Promise<void> {
    await rm(join(this.#dir, file), { force: true });
    // After a power failure it must not come back: the user may have undone it since.
    const dir = await open(this.#dir);
    await dir.sync().finally(() => dir.close());
  }

  /** All that have begun. One that cannot be read was never written as a whole, and touched nothing. */
  async all(): Promise<readonly Begun[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const begun: Begun[] = [];
    for (const file of names.sort()) {
      const [, process] = /^[^~]+~([^~]+)\.json$/.exec(file) ?? [];
      if (process === undefined) continue;
      const text = await readFile(join(this.#dir, file), "utf8").catch(() => "");
      const parsed = JournalEntry.safeParse(parseJson(text));
      if (parsed.success)
        begun.push({ entry: parsed.data, process: process.replaceAll("_", " "), file });
    }
    return begun;
  }
}

function fileOf(id: string, process: string): string {
  return `${id}~${process.replaceAll(" ", "_")}.json`;
}

/**
 * This process, told apart from a later one with the same number by its start; of the running system,
 * and of its pid namespace: in another one the number is somebody else's.
 */
export async function ownProcess(): Promise<string> {
  const startTime = await startTimeOf(process.pid);
  if (startTime === undefined) return String(process.pid);
  return [process.pid, startTime, ...(await system())].join(" ");
}

/** Whether a process, as `ownProcess` named it there, still runs, or cannot be seen from here. */
export async function isRunningProcess(name: string): Promise<boolean> {
  const [pid, startTime = "", boot, namespace] = name.split(" ");
  const [ownBoot, ownNamespace] = await system();
  if (boot !== ownBoot) return false;
  return namespace !== ownNamespace || (await isAlive(Number(pid), startTime));
}

/** The running system, and the namespace of this process's number in it. */
async function system(): Promise<readonly [string, string]> {
  const boot = await bootId().catch(() => "");
  const namespace = await pidNamespace().catch(() => "");
  return [boot, namespace.replace(/\D/g, "")];
}
