import { resolved } from "../../paths.ts";
import type { Owner } from "../../process/index.ts";
import {
  containerName,
  findContainer,
  lockToEnd,
  projectHash,
  removeContainer,
} from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { liveLeases } from "../locks/index.ts";
import { isRecorded } from "./container-record.ts";

/** A project and its state directory. */
export type SandboxPlace = { readonly root: string; readonly stateDir: string };

/** The name of the project's container, which need not exist. */
export async function sandboxName({ root, stateDir }: SandboxPlace): Promise<string> {
  const path = await resolved(root);
  return containerName(path, projectHash(path, await resolved(stateDir)));
}

/** How many hosts besides `owner` hold the project's container and are not provably dead. */
export async function otherHosts(
  engine: Engine,
  where: SandboxPlace,
  owner: Owner,
): Promise<number> {
  const container = await sandboxName(where);
  const id = (await findContainer(engine, container))?.id ?? null;
  const lease = { container, engine: engine.id, id };
  const holders = await liveLeases(await resolved(where.stateDir), lease);
  return holders.filter(
    (holder) => holder.pid !== owner.pid || holder.startTime !== owner.startTime,
  ).length;
}

/**
 * Removes the project's container even if others use it; it need not exist. Rejects if it cannot be
 * found out whether the container belongs to the project.
 */
export async function removeSandbox(engine: Engine, where: SandboxPlace): Promise<void> {
  const name = await sandboxName(where);
  const stateDir = await resolved(where.stateDir);
  using _lock = await lockToEnd(engine, name, stateDir);
  const found = await findContainer(engine, name);
  const place = { stateDir, engine: engine.id, name };
  // The name alone proves nothing: any user of the engine can take it.
  if (found === undefined || !(await isRecorded(place, found))) return;
  await removeContainer(engine, found.id);
}
