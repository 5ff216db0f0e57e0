import * as z from "zod";
import { ownUid } from "../../own-user.ts";
import { liveness, parseOwner } from "../../process/index.ts";
import {
  containerLock,
  type ExistingContainer,
  LABELS,
  removeContainer,
} from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { liveLeases, tryLock } from "../locks/index.ts";
import { StateFault } from "../state-fault.ts";
import { dropRecord, isRecorded, type RecordPlace } from "./container-record.ts";

/** The labels that a container must have, all well-formed, to be considered at all. */
const OwnLabels = z.object({
  [LABELS.plugin]: z.enum(["1", "probe"]),
  [LABELS.owner]: z.string(),
  [LABELS.scope]: z.string().includes("/"),
  [LABELS.uid]: z.string(),
  [LABELS.state]: z.string().startsWith("/"),
});

/**
 * Removes containers that crashed hosts left behind. Such a container has all of the plugin's
 * labels, is recorded in a state directory of this user, and its maker and all lease holders are
 * provably dead. One that cannot be judged stays: its keeper ends it when no relay is connected.
 * `onLeft` is called for each whose state could not be read.
 *
 * Returns the names of the removed ones. Rejects if the engine does not answer.
 */
export async function sweep(
  engine: Engine,
  signal?: AbortSignal,
  onLeft: (why: string) => void = () => {},
): Promise<string[]> {
  const removed: string[] = [];
  const listed = await engine.docker.listContainers({
    all: true,
    filters: { label: [LABELS.plugin] },
  });
  for (const { Id, Names, Labels, State } of listed) {
    signal?.throwIfAborted();
    const name = Names[0]?.replace(/^\//, "");
    if (name === undefined) continue;
    const container = { id: Id, labels: Labels, wasStarted: State !== "created" };
    try {
      if (await removeAbandoned(engine, name, container)) removed.push(name);
    } catch (cause) {
      if (!(cause instanceof StateFault)) throw cause;
      if (!cause.isAnothers)
        onLeft(
          `The container ${name} was not removed, because it is not known whether it is in use: ${cause.message} ${cause.fix.replaceAll("\n", "; ")}`,
        );
    }
  }
  return removed;
}

/** Rejects with a `StateFault` if a file that decides cannot be read. */
async function removeAbandoned(
  engine: Engine,
  name: string,
  container: Pick<ExistingContainer, "id" | "labels" | "wasStarted">,
): Promise<boolean> {
  const stateDir = container.labels[LABELS.state] ?? "";
  const place = { stateDir, engine: engine.id, name };
  // SECURITY: checked before the lock is taken, which creates a directory: the path is from a label.
  if (!(await isAbandoned(place, container))) return false;
  // The lock is held by a host that is opening or releasing the container.
  using lock = await tryLock(containerLock(engine, name, stateDir));
  if (lock === undefined || !(await isAbandoned(place, container))) return false;
  await removeContainer(engine, container.id);
  await dropRecord(place);
  return true;
}

async function isAbandoned(
  place: RecordPlace,
  container: Pick<ExistingContainer, "id" | "labels" | "wasStarted">,
): Promise<boolean> {
  const parsed = OwnLabels.safeParse(container.labels);
  if (!parsed.success) return false;
  // Another user's processes may be hidden, and would look dead.
  if (parsed.data[LABELS.uid] !== String(ownUid())) return false;
  // SECURITY: anybody can write labels; only a record that this user alone can have written counts.
  if (!(await isRecorded(place, container))) return false;
  const owner = parseOwner(parsed.data[LABELS.owner]);
  if (owner === undefined) return false;
  if ((await liveness({ ...owner, scope: parsed.data[LABELS.scope] })) !== "dead") return false;
  const lease = { container: place.name, engine: place.engine, id: container.id };
  return (await liveLeases(place.stateDir, lease)).length === 0;
}
