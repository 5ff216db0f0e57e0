import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { ownUid } from "../../own-user.ts";
import { resolved } from "../../paths.ts";
import { isSameMachine, ownOwner } from "../../process/index.ts";
import { childEnv, program } from "../../programs.ts";
import { tarStream } from "../../tar.ts";
import {
  containerName,
  LABELS,
  lockToEnd,
  projectHash,
  removeContainer,
} from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { engineFault } from "../error.ts";
import type { SandboxPlace } from "../ownership/index.ts";
import type { Cache } from "./caches.ts";

/** The volumes that were filled completely, with their versions; in the project's state directory. */
const Made = z.record(z.string(), z.string());

/** The engine's disk usage; a size of -1 is unknown. */
const Usage = z.object({
  Volumes: z
    .array(z.object({ Name: z.string(), UsageData: z.object({ Size: z.number() }).nullish() }))
    .nullish(),
});

/** The largest copy: more than the packages of large projects. */
const MAX_SEED_BYTES = 16 * 1024 ** 3;
const TOO_LARGE = `the host's is larger than ${MAX_SEED_BYTES / 1024 ** 3} GiB`;

/** How many directories a note names. */
const MAX_NOTES = 3;

/** Where a volume is mounted while it is filled. */
const FILL_DIR = "/codex-chat-cache";

/** How volumes are made. */
export type VolumeOptions = {
  readonly stateDir: string;
  /** Any image on the engine; no program of it runs. */
  readonly imageId: string;
  readonly uid: number;
  readonly gid: number;
  /** The labels of the project's container. */
  readonly labels: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Makes the volumes that are missing or of another version. They belong to the user and are filled
 * through the engine, without running anything. The caller holds the container's lock, and the
 * container is not running. Returns sentences for the user.
 *
 * Rejects if the engine fails.
 */
export async function ensureVolumes(
  engine: Engine,
  caches: readonly Cache[],
  options: VolumeOptions,
): Promise<string[]> {
  const notes: string[] = [];
  const noted: Cache[] = [];
  const path = join(options.stateDir, "caches.json");
  const made = await readMade(path);
  for (const cache of caches) {
    options.signal?.throwIfAborted();
    const exists = await volumeExists(engine, cache.volume);
    if (exists && made[cache.volume] === cache.version) continue;
    if (exists && !(await removeVolume(engine, cache.volume))) continue;
    await engine.docker.createVolume({
      Name: cache.volume,
      Labels: { ...options.labels, [LABELS.cache]: cache.what },
    });
    const problem = await fill(engine, cache, options);
    if (problem !== undefined)
      notes.push(`sandbox.caches: ${cache.what} begins empty in the sandbox: ${problem}.`);
    if (cache.note !== undefined) noted.push(cache);
    made[cache.volume] = cache.version;
    await writePrivate(path, `${JSON.stringify(made)}\n`);
  }
  return [...notes, ...inFew(noted)];
}

/** The notes of the caches; notes that differ only in the directory are merged. */
function inFew(noted: readonly Cache[]): readonly string[] {
  const all = noted.flatMap(({ note }) => note ?? []);
  if (all.length <= MAX_NOTES) return all;
  const [, ...others] = noted.map(({ what }) => what);
  const rest = others.length > MAX_NOTES ? ` and ${others.length - MAX_NOTES} more` : "";
  return [`${all[0]} The same is true of ${others.slice(0, MAX_NOTES).join(", ")}${rest}.`];
}

/** Removes the volumes of a project, except those that a container uses. Returns the removed ones. */
export async function removeCaches(engine: Engine, where: SandboxPlace): Promise<OurVolume[]> {
  const [root, stateDir] = await Promise.all([resolved(where.root), resolved(where.stateDir)]);
  const name = containerName(root, projectHash(root, stateDir));
  using _lock = await lockToEnd(engine, name, stateDir);
  const removed: OurVolume[] = [];
  for (const volume of await cachesOf(engine, where))
    if (await removeVolume(engine, volume.name)) removed.push(volume);
  return removed;
}

/** The volumes of a project. */
export async function cachesOf(engine: Engine, where: SandboxPlace): Promise<OurVolume[]> {
  const [root, stateDir] = await Promise.all([resolved(where.root), resolved(where.stateDir)]);
  const hash = projectHash(root, stateDir);
  return (await ourVolumes(engine)).filter(
    ({ labels }) => labels[LABELS.project] === hash && labels[LABELS.state] === stateDir,
  );
}

/**
 * The volumes of this user's projects whose state directory is gone, so that nothing can use them.
 * If machines or containers share an engine, a directory of another machine does not count as gone
 * because it is missing here.
 */
export async function goneCaches(engine: Engine): Promise<OurVolume[]> {
  const gone: OurVolume[] = [];
  const here = await ownOwner();
  for (const volume of await ourVolumes(engine)) {
    const stateDir = volume.labels[LABELS.state];
    if (!isSameMachine(volume.labels[LABELS.scope] ?? "", here.scope)) continue;
    if (stateDir !== undefined && (await isGone(stateDir))) gone.push(volume);
  }
  return gone;
}

/** Removes those volumes. Returns their names. */
export async function pruneCaches(engine: Engine): Promise<string[]> {
  const removed: string[] = [];
  for (const { name } of await goneCaches(engine))
    if (await removeVolume(engine, name)) removed.push(name);
  return removed;
}

/**
 * The sizes of the engine's volumes in bytes, by name. Unknown sizes are left out: all of them if the
 * engine is busy counting, or takes too long.
 */
export async function volumeSizes(
  engine: Engine,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const stopped = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const counted = engine.docker.df().then(
    (usage) => Usage.safeParse(usage),
    () => undefined,
  );
  const found = await Promise.race([counted, stopped]);
  const volumes = found?.success ? (found.data.Volumes ?? []) : [];
  return new Map(
    volumes.flatMap(({ Name, UsageData }) =>
      UsageData != null && UsageData.Size >= 0 ? [[Name, UsageData.Size]] : [],
    ),
  );
}

/** A volume with the plugin's labels. */
export type OurVolume = {
  readonly name: string;
  /** "tools", or a directory of the project. */
  readonly what: string;
  readonly labels: Readonly<Record<string, string>>;
};

/** The plugin's volumes on this engine, of all projects of this user. */
export async function ourVolumes(engine: Engine): Promise<OurVolume[]> {
  const filters = JSON.stringify({ label: [`${LABELS.plugin}=1`, LABELS.cache] });
  const { Volumes } = await engine.docker.listVolumes({ filters });
  return (Volumes ?? [])
    .filter((volume) => volume.Name.startsWith("codex-chat-"))
    .map(({ Name, Labels }) => ({
      name: Name,
      what: Labels?.[LABELS.cache] ?? Name,
      labels: Labels ?? {},
    }))
    .filter((volume) => volume.labels[LABELS.uid] === String(ownUid()));
}

async function isGone(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "ENOENT";
  }
}

async function volumeExists(engine: Engine, name: string): Promise<boolean> {
  try {
    await engine.docker.getVolume(name).inspect();
    return true;
  } catch (cause) {
    if (engineFault(cause).status === 404) return false;
    throw cause;
  }
}

/** False if a container uses it. */
async function removeVolume(engine: Engine, name: string): Promise<boolean> {
  try {
    await engine.docker.getVolume(name).remove();
    return true;
  } catch (cause) {
    const { status } = engineFault(cause);
    if (status === 404) return true;
    if (status === 409) return false;
    throw cause;
  }
}

/** Sets a new volume's owner and content; returns why the content could not be copied. */
async function fill(
  engine: Engine,
  { volume, seed }: Cache,
  { imageId, uid, gid, labels, signal }: VolumeOptions,
): Promise<string | undefined> {
  // Never started: the engine also unpacks into the mounts of a container that is not running.
  const container = await engine.docker.createContainer({
    Image: imageId,
    Labels: { ...labels },
    Entrypoint: ["/bin/false"],
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: "none",
      Mounts: [
        {
          Type: "volume",
          Source: volume,
          Target: FILL_DIR,
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: "local", Options: {} } },
        },
      ],
    },
  });
  try {
    // Into the parent, because the engine does not change the directory that it unpacks into.
    const own = tarStream([{ name: `${FILL_DIR.slice(1)}/`, directory: true, uid, gid }]);
    await container.putArchive(own, { path: "/" });
    if (seed === undefined) return undefined;
    return await pack(seed, { uid, gid, signal }, (archive, full) =>
      container.putArchive(archive, { path: FILL_DIR, abortSignal: full }),
    );
  } finally {
    await removeContainer(engine, container.id);
  }
}

/** Runs the system's tar on a directory; returns the error of tar or of its reader. */
async function pack(
  dir: string,
  { uid, gid, signal }: { uid: number; gid: number; signal: AbortSignal | undefined },
  use: (archive: Readable, full: AbortSignal) => Promise<unknown>,
): Promise<string | undefined> {
  const tar = spawn(
    program("tar"),
    ["-C", dir, "--numeric-owner", `--owner=:${uid}`, `--group=:${gid}`, "-cf", "-", "."],
    {
      env: childEnv(),
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    },
  );
  let said = "";
  tar.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-300);
  });
  const ended = once(tar, "close").then(
    ([code]) => (code === 0 ? undefined : said.trim() || `tar ended with ${code}`),
    (cause: Error) => cause.message,
  );
  let bytes = 0;
  const full = new AbortController();
  // SECURITY: the agent may have made a sparse file of a terabyte.
  const bounded = tar.stdout.pipe(
    new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        bytes += chunk.length;
        if (bytes <= MAX_SEED_BYTES) return done(null, chunk);
        // Not emitted as the stream's error: the engine's client does not listen for it.
        full.abort();
        done();
      },
    }),
  );
  try {
    await use(bounded, full.signal);
  } catch (cause) {
    tar.kill();
    return bytes > MAX_SEED_BYTES ? TOO_LARGE : engineFault(cause).text;
  }
  return ended;
}

async function readMade(path: string): Promise<Record<string, string>> {
  try {
    return Made.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return {};
  }
}
