import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import type { Plan } from "./change.ts";

const TreeFile = z.object({ kind: z.enum(["100644", "100755", "120000"]), oid: z.string() });
const Step = z.object({
  path: z.string(),
  from: TreeFile.optional(),
  to: TreeFile.optional(),
  mode: z.int().optional(),
});

/** A change that was begun: all that is needed to complete it. */
export const JournalEntry = z.object({
  id: z.string(),
  /** What the change is, in the words of a message: "taking back turn 3". */
  title: z.string(),
  /** The checkpoints before and after it. */
  before: z.object({ commit: z.string(), tree: z.string() }),
  after: z.object({ commit: z.string(), tree: z.string() }),
  /** The process that does it, as `/proc` knows it: another host leaves it alone. */
  process: z.string(),
  steps: z.array(Step),
  makeDirs: z.array(z.string()),
  removeDirs: z.array(z.string()),
  /** What is to be recorded once it is complete; the journal does not look at it. */
  note: z.unknown(),
});
export type JournalEntry = Readonly<z.infer<typeof JournalEntry>>;

/** The steps of a plan as they are written into the journal. */
export function journalled({ steps, makeDirs, removeDirs }: Plan) {
  return {
    steps: steps.map((step) => ({ ...step })),
    makeDirs: [...makeDirs],
    removeDirs: [...removeDirs],
  };
}

/**
 * Changes that have begun and are not over, each in a file of its own. It is written before the first
 * file of the project is touched and removed after the last, so that a host that starts after a crash
 * knows what is half done.
 */
export class Journal {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = join(dir, "journal");
  }

  async begin(entry: JournalEntry): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await writePrivate(this.#path(entry.id), JSON.stringify(entry));
  }

  async end(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** All that have begun. One that cannot be read was never written as a whole, and touched nothing. */
  async all(): Promise<readonly JournalEntry[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const entries: JournalEntry[] = [];
    for (const name of names.filter((each) => each.endsWith(".json"))) {
      const text = await readFile(join(this.#dir, name), "utf8").catch(() => "");
      const parsed = JournalEntry.safeParse(parseJson(text));
      if (parsed.success) entries.push(parsed.data);
    }
    return entries;
  }

  #path(id: string): string {
    return join(this.#dir, `${id}.json`);
  }
}

/** This process, told apart from a later one with the same number by its start; of the running system. */
export async function ownProcess(): Promise<string> {
  return (await processNamed(process.pid)) ?? String(process.pid);
}

/** Whether a process, as `ownProcess` named it there, still runs. */
export async function isRunningProcess(name: string): Promise<boolean> {
  return (await processNamed(Number(name.split(" ")[0]))) === name;
}

/** Field 22 of /proc/PID/stat is the start, in ticks since the system's; see proc(5). */
async function processNamed(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  const start = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return start === undefined ? undefined : `${pid} ${start} ${boot.trim()}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
