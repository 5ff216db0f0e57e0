import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readFile, realpath } from "node:fs/promises";
import { isAbsolute, join, normalize, relative, sep } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { err, ok, type Result } from "../result.ts";
import type { UserDockerfile } from "../sandbox/index.ts";
import type { Failure } from "./failure.ts";
import type { Settings } from "./settings.ts";

/** A Dockerfile of more than this is none. */
const MAX_BYTES = 256 * 1024;
/** The digits of a version's hash that the user is shown and types. */
const SHOWN_DIGITS = 12;
const NONBLOCKING = constants.O_RDONLY | constants.O_NONBLOCK;

/** Which version of each Dockerfile the user has allowed, by path. */
const Allowed = z.record(z.string(), z.string());

/** What is to be built, and a sentence for the user where that is not what lies there now. */
export type FoundDockerfile = { readonly file: UserDockerfile; readonly note?: string };

type Where = {
  readonly settings: Pick<Settings, "sandbox" | "state_dir">;
  /** The project. */
  readonly root: string;
};

/**
 * Reads the Dockerfile that the settings name; undefined where they name none.
 *
 * SECURITY: a build runs on the engine, with its network and without gVisor. So where the agent
 * can write the Dockerfile (it lies in the project or in a writable mount), only a version that
 * the user has allowed by its hash is built, from the copy in the state directory that was shown.
 * While a newer one waits, the allowed one stays in use.
 *
 * Errors: `dockerfile_unreadable`, `dockerfile_unknown`.
 */
export async function findDockerfile({
  settings,
  root,
}: Where): Promise<Result<FoundDockerfile | undefined, Failure>> {
  const named = settings.sandbox.dockerfile;
  if (named === undefined) return ok(undefined);
  const path = isAbsolute(named) ? normalize(named) : join(root, named);
  const read = await readBounded(path);
  if (!(await isInReach(path, root, settings))) {
    if (!read.ok) return err(unreadable(path, read.error));
    return ok({ file: { path, content: read.value } });
  }
  const dir = copiesDir(settings);
  const allowed = await allowedVersion(dir, path);
  const hash = read.ok ? hashOf(read.value) : undefined;
  if (read.ok && hash === allowed?.hash) return ok({ file: { path, content: read.value } });
  if (read.ok && hash !== undefined) await keepCopy(dir, hash, read.value);
  if (allowed !== undefined) {
    const what =
      hash === undefined ? `cannot be read (${read.ok ? "" : read.error})` : "has changed";
    const then = hash === undefined ? "" : ` To build the new one: ${allowCommand(dir, hash)}.`;
    const note = `${path} ${what} since you allowed it; the allowed version stays in use.${then}`;
    return ok({ file: { path, content: allowed.content }, note });
  }
  if (hash === undefined) return err(unreadable(path, read.ok ? "" : read.error));
  return err({
    kind: "dockerfile_unknown",
    message: `${path} lies where the agent can write it, and you have not allowed this version of it: it would be built on this machine's engine, with its network and outside of the sandbox.`,
    mend: `${allowCommand(dir, hash)}, then send again. A Dockerfile outside of the project needs no leave.`,
  });
}

/**
 * Allows a version of the Dockerfile: the one whose hash begins with what the user typed, as it
 * was copied when it was found.
 *
 * Errors: `dockerfile_unknown`.
 */
export async function allowDockerfile(
  { settings, root }: Where,
  typed: string,
): Promise<Result<string, Failure>> {
  const named = settings.sandbox.dockerfile;
  const found = named === undefined ? undefined : isAbsolute(named) ? named : join(root, named);
  if (found === undefined)
    return err({
      kind: "dockerfile_unknown",
      message: "The configuration names no sandbox.dockerfile.",
    });
  const path = normalize(found);
  const dir = copiesDir(settings);
  const read = await readBounded(path);
  const hash = read.ok ? hashOf(read.value) : undefined;
  const isIt = /^[0-9a-f]{12,64}$/.test(typed) && hash?.startsWith(typed) === true;
  if (!read.ok || hash === undefined || !isIt) {
    if (read.ok && hash !== undefined) await keepCopy(dir, hash, read.value);
    return err({
      kind: "dockerfile_unknown",
      message: `${path} ${read.ok ? "has another hash" : `cannot be read (${read.error})`}: nothing was allowed.`,
      ...(hash === undefined ? {} : { mend: allowCommand(dir, hash) }),
    });
  }
  await keepCopy(dir, hash, read.value);
  const all = { ...(await readAllowed(dir)), [path]: hash };
  await writeFileAtomic(join(dir, "allowed.json"), `${JSON.stringify(all)}\n`, { mode: 0o600 });
  return ok(`${path} is allowed as it is now; the sandbox's next start builds it.`);
}

function allowCommand(dir: string, hash: string): string {
  return `read ${join(dir, hash)} and, if you agree, :CodexChat sandbox allow ${hash.slice(0, SHOWN_DIGITS)}`;
}

/** Whether the agent could have written what lies at this path, or decides where it leads. */
async function isInReach(
  path: string,
  root: string,
  { sandbox }: Where["settings"],
): Promise<boolean> {
  const writable = [root, ...sandbox.mounts.flatMap((it) => (it.write ? [it.source] : []))];
  const real = await realpath(path).catch(() => path);
  for (const place of writable) {
    const places = [place, await realpath(place).catch(() => place)];
    if (places.some((it) => isWithin(it, path) || isWithin(it, real))) return true;
  }
  // A second name of the file may lie in the project.
  return hasOtherNames(real);
}

async function hasOtherNames(path: string): Promise<boolean> {
  try {
    await using file = await open(path);
    return (await file.stat()).nlink > 1;
  } catch {
    return true;
  }
}

function isWithin(outer: string, inner: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function allowedVersion(
  dir: string,
  path: string,
): Promise<{ readonly hash: string; readonly content: string } | undefined> {
  const hash = (await readAllowed(dir))[path];
  if (hash === undefined) return undefined;
  const copy = await readBounded(join(dir, hash));
  return copy.ok && hashOf(copy.value) === hash ? { hash, content: copy.value } : undefined;
}

async function readAllowed(dir: string): Promise<z.infer<typeof Allowed>> {
  try {
    return Allowed.parse(JSON.parse(await readFile(join(dir, "allowed.json"), "utf8")));
  } catch {
    return {};
  }
}

async function keepCopy(dir: string, hash: string, content: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(dir, hash), content, { mode: 0o600 });
}

function copiesDir({ state_dir: stateDir }: Where["settings"]): string {
  return join(stateDir, "dockerfiles");
}

function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** SECURITY: the agent may have put a pipe or something endless in the file's place. */
async function readBounded(path: string): Promise<Result<string, string>> {
  try {
    await using file = await open(path, NONBLOCKING);
    const stats = await file.stat();
    if (!stats.isFile()) return err("it is not a file");
    if (stats.size > MAX_BYTES) return err("it is too large");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
    if (bytesRead > MAX_BYTES) return err("it is too large");
    return ok(buffer.subarray(0, bytesRead).toString("utf8"));
  } catch (cause) {
    return err((cause as NodeJS.ErrnoException).code ?? String(cause));
  }
}

function unreadable(path: string, reason: string): Failure {
  return {
    kind: "dockerfile_unreadable",
    message: `${path} (sandbox.dockerfile) cannot be read: ${reason}.`,
    mend: "Make that file, or take sandbox.dockerfile out of the configuration.",
  };
}
