import { z } from "zod";
import { containerLock, removeContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { LABELS } from "./labels.ts";
import { liveLeases } from "./lease.ts";
import { tryLock } from "./lock.ts";
import { liveness, parseOwner } from "./owner.ts";

/** The labels that must all be there and well-formed before a container is even considered. */
const OwnLabels = z.object({
  [LABELS.plugin]: z.literal("1"),
  [LABELS.project]: z.string().min(1),
  [LABELS.owner]: z.string(),
  [LABELS.scope]: z.string().includes("/"),
  [LABELS.uid]: z.string(),
  [LABELS.state]: z.string().startsWith("/"),
});

/**
 * Removes containers that crashed hosts left behind: those with all of our labels, of this very
 * user, whose maker and whose every lease holder are provably dead. Whatever cannot be judged
 * stays: the keeper inside ends it when no relay is connected.
 *
 * Returns the names of the removed ones. Rejects where the engine does not answer.
 */
export async function sweep(engine: Engine, signal?: AbortSignal): Promise<string[]> {
  const removed: string[] = [];
  const listed = await engine.docker.listContainers({
    all: true,
    filters: { label: [`${LABELS.plugin}=1`] },
  });
  for (const { Id, Names, Labels } of listed) {
    signal?.throwIfAborted();
    const name = Names[0]?.replace(/^\//, "");
    if (name === undefined) continue;
    // Held by a host that opens or releases it at this moment.
    const lock = await tryLock(containerLock(engine, name));
    if (lock === undefined) continue;
    try {
      if (await isAbandoned(engine, name, Labels)) {
        await removeContainer(engine, Id);
        removed.push(name);
      }
    } finally {
      lock.release();
    }
  }
  return removed;
}

async function isAbandoned(engine: Engine, name: string, labels: unknown): Promise<boolean> {
  const parsed = OwnLabels.safeParse(labels);
  if (!parsed.success) return false;
  // Another user's processes may be hidden from this one, so they would look dead.
  if (parsed.data[LABELS.uid] !== String(process.getuid?.() ?? 0)) return false;
  const owner = parseOwner(parsed.data[LABELS.owner]);
  if (owner === undefined) return false;
  if ((await liveness({ ...owner, scope: parsed.data[LABELS.scope] })) !== "dead") return false;
  try {
    const lease = { container: name, engine: engine.id };
    return (await liveLeases(parsed.data[LABELS.state], lease)).length === 0;
  } catch {
    return false;
  }
}
