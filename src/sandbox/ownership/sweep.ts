import { z } from "zod";
import { ownUid } from "../../own-user.ts";
import {
  containerLock,
  type ExistingContainer,
  LABELS,
  removeContainer,
} from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { liveLeases, liveness, parseOwner, tryLock } from "../locks/index.ts";
import { StateFault } from "../state-fault.ts";
import { dropRecord, isRecorded, type RecordPlace } from "./container-record.ts";

/** The labels that must all be there and well-formed before a container is even considered. */
const OwnLabels = z.object({
  [LABELS.plugin]: z.enum(["1", "probe"]),
  [LABELS.owner]: z.string(),
  [LABELS.scope]: z.string().includes("/"),
  [LABELS.uid]: z.string(),
  [LABELS.state]: z.string().startsWith("/"),
});

/**
 * Removes containers that crashed hosts left behind: those with all of our labels that a state
 * directory of this very user says to have had made, whose maker and whose every lease holder are
 * provably dead. Whatever cannot be judged stays: the keeper inside ends it when no relay is
 * connected. `onLeft` is told of those whose state could not be looked at.
 *
 * Returns the names of the removed ones. Rejects where the engine does not answer.
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
          `The container ${name} was left, since it is not known whether it is in use: ${cause.message} ${cause.fix.replaceAll("\n", "; ")}`,
        );
    }
  }
  return removed;
}

/** Rejects with a `StateFault` where something that decides cannot be looked at. */
async function removeAbandoned(
  engine: Engine,
  name: string,
  container: Pick<ExistingContainer, "id" | "labels" | "wasStarted">,
): Promise<boolean> {
  const stateDir = container.labels[LABELS.state] ?? "";
  const place = { stateDir, engine: engine.id, name };
  // SECURITY: before the lock, since the path is another's word, and taking a lock makes a directory.
  if (!(await isAbandoned(place, container))) return false;
  // Held by a host that opens or releases it at this moment, or has just done so.
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
  // Another user's processes may be hidden from this one, so they would look dead.
  if (parsed.data[LABELS.uid] !== String(ownUid())) return false;
  // SECURITY: anybody may write labels; what is read there counts only where this user alone can
  // have written it.
  if (!(await isRecorded(place, container))) return false;
  const owner = parseOwner(parsed.data[LABELS.owner]);
  if (owner === undefined) return false;
  if ((await liveness({ ...owner, scope: parsed.data[LABELS.scope] })) !== "dead") return false;
  const lease = { container: place.name, engine: place.engine, id: container.id };
  return (await liveLeases(place.stateDir, lease)).length === 0;
}
