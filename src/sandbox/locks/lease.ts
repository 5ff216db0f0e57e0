import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { isAlive, liveness, type Owner, ownerKey, parseOwner } from "../../process/index.ts";
import { StateFault } from "../state-fault.ts";

/** A lease: the container and engine that its owner uses. */
const Lease = z.object({
  container: z.string(),
  engine: z.string(),
  scope: z.string(),
  /** Absent while the container is being opened. */
  id: z.string().optional(),
});
type Lease = z.infer<typeof Lease>;

/** The holder of a lease. */
export type LeaseHolder = Pick<Owner, "pid" | "startTime">;

/** The directory of a project's leases; never mounted into the container. */
export function leaseDir(stateDir: string): string {
  return join(stateDir, "leases");
}

/** Records that `owner` uses `container`; an owner holds one lease per project. */
export async function writeLease(
  stateDir: string,
  owner: Owner,
  lease: { readonly container: string; readonly engine: string; readonly id?: string },
): Promise<void> {
  const dir = leaseDir(stateDir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const content: Lease = { ...lease, scope: owner.scope };
  await writePrivate(join(dir, ownerKey(owner)), `${JSON.stringify(content)}\n`);
}

/** Drops the owner's lease; it need not exist. */
export async function dropLease(stateDir: string, owner: Owner): Promise<void> {
  await rm(join(leaseDir(stateDir), ownerKey(owner)), { force: true });
}

/**
 * Lists the holders of leases on `container` that are not provably dead; deletes the leases of dead
 * ones. `id` is the container's present id, null if there is none. A holder that cannot be judged
 * (in another pid namespace) counts only while its container exists, or it would count for ever. An
 * empty lease counts while its owner lives: better to keep a container too long than to remove one
 * in use. Rejects with a `StateFault` if a lease cannot be read.
 */
export async function liveLeases(
  stateDir: string,
  {
    container,
    engine,
    id,
  }: { readonly container: string; readonly engine: string; readonly id?: string | null },
): Promise<LeaseHolder[]> {
  const live: LeaseHolder[] = [];
  for (const name of await leaseNames(stateDir)) {
    const owner = parseOwner(name);
    if (owner === undefined) continue;
    const path = join(leaseDir(stateDir), name);
    const lease = await readLease(path);
    if (lease === "gone") continue;
    if (lease === "malformed") {
      if (await isAlive(owner.pid, owner.startTime)) live.push(owner);
      continue;
    }
    // A lease for another engine may be from another machine, where pids are others.
    if (lease.engine !== engine) continue;
    const state = await liveness({ ...owner, scope: lease.scope });
    const isOfAnother = id !== undefined && lease.id !== undefined && lease.id !== id;
    const isPast = state === "unknown" && lease.container === container && isOfAnother;
    if (state === "dead" || isPast) {
      await rm(path, { force: true });
    } else if (lease.container === container) live.push(owner);
  }
  return live;
}

async function leaseNames(stateDir: string): Promise<string[]> {
  try {
    return await readdir(leaseDir(stateDir));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw StateFault.unreadable(leaseDir(stateDir), cause);
  }
}

/** `gone` if the lease was dropped meanwhile. */
async function readLease(path: string): Promise<Lease | "gone" | "malformed"> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "gone";
    throw StateFault.unreadable(path, cause);
  }
  try {
    const parsed = Lease.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : "malformed";
  } catch {
    return "malformed";
  }
}
