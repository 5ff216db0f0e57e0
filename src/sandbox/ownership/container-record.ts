import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { quoteForShell } from "../../look.ts";
import { parseJson } from "../../parse-json.ts";
import { type ExistingContainer, LABELS } from "../container/index.ts";
import { ownDirectory, readOwnFile } from "../private-file.ts";
import { StateFault } from "../state-fault.ts";

/** The container that was made from this state directory. */
const Record = z.object({
  /** Also the container's label; it counts only until the id is known. */
  token: z.uuid(),
  id: z.string().optional(),
  /** Tokens of makers that died before they learned an id: the engine may still be making theirs. */
  earlier: z.array(z.uuid()).optional(),
});

/** How many of those are kept. */
const MAX_EARLIER = 8;

/** A container by name on an engine, and the state directory of its project. */
export type RecordPlace = {
  readonly stateDir: string;
  readonly engine: string;
  readonly name: string;
};

/**
 * Records that a container is about to be made, and returns the token for its label; `made` records
 * its id.
 *
 * SECURITY: labels prove nothing, because any user of the engine can write any label. A container is
 * removed or joined only if a record in this user's own directory says that it was made from there.
 */
export async function beginRecord(place: RecordPlace): Promise<{
  readonly token: string;
  readonly made: (id: string) => Promise<void>;
}> {
  const token = randomUUID();
  const problem = await ownDirectory(join(place.stateDir, "containers"));
  if (problem !== null) throw notTrusted(problem.path, problem.what);
  // One that cannot be read counts for nothing here: it is replaced.
  const before = await read(place).catch(() => undefined);
  const unmade = before === undefined || before.id !== undefined ? [] : [before.token];
  const earlier = [...(before?.earlier ?? []), ...unmade].slice(-MAX_EARLIER);
  await write(place, { token, earlier });
  return { token, made: (id) => write(place, { token, id }) };
}

/**
 * Whether this container was made from this state directory. Rejects with a `StateFault` if that
 * cannot be found out.
 */
export async function isRecorded(
  place: RecordPlace,
  container: Pick<ExistingContainer, "id" | "labels" | "wasStarted">,
): Promise<boolean> {
  const record = await read(place);
  if (record === undefined) return false;
  if (record.id !== undefined) return record.id === container.id;
  // Its maker died before it learned the id, and so before it could start the container.
  const own = [record.token, ...(record.earlier ?? [])];
  return !container.wasStarted && own.includes(container.labels[LABELS.token] ?? "");
}

/** Forgets the container; the record need not exist. */
export async function dropRecord(place: RecordPlace): Promise<void> {
  await rm(pathOf(place), { force: true });
}

async function read(place: RecordPlace): Promise<z.infer<typeof Record> | undefined> {
  const text = await readOwnFile(pathOf(place));
  if (text === undefined) return undefined;
  const record = Record.safeParse(parseJson(text));
  // Records are written atomically, so this program has not left it like this.
  if (!record.success) throw notTrusted(pathOf(place), "is not a record of a container");
  return record.data;
}

async function write(place: RecordPlace, record: z.infer<typeof Record>): Promise<void> {
  await writePrivate(pathOf(place), `${JSON.stringify(record)}\n`);
}

function notTrusted(path: string, what: string): StateFault {
  return new StateFault({
    path,
    message: `${path} ${what}, so it is not known which container was made from this directory.`,
    fix: `ls -ld ${quoteForShell(path)}\nmv ${quoteForShell(path)} ${quoteForShell(`${path}.old`)}`,
  });
}

/** An engine's name for a container has letters, digits and `_.-` only. */
function pathOf({ stateDir, engine, name }: RecordPlace): string {
  return join(stateDir, "containers", `${name.replace(/[^\w.-]/g, "_")}.${engine}.json`);
}
