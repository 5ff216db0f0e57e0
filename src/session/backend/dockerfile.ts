import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { err, ok, type Result } from "../../result.ts";
import type { UserDockerfile } from "../../sandbox/image/index.ts";
import { isInReach } from "../../sandbox/shared/index.ts";
import type { Failure } from "../failure.ts";
import type { Settings } from "../settings/index.ts";
import { readBounded, unseenIn } from "./dockerfile-read.ts";

/** How many digits of a hash the user must type at least; all of them are shown. */
const MIN_DIGITS = 12;
const HASH = /^[0-9a-f]{64}$/;

/** The allowed version of each Dockerfile: the full hash, by path. */
const Allowed = z.record(z.string(), z.string().regex(HASH));

/** The Dockerfile to build, and a note for the user if the file at its path is another version. */
export type FoundDockerfile = { readonly file: UserDockerfile; readonly note?: string };

type Where = {
  readonly settings: Pick<Settings, "sandbox" | "state_dir">;
  /** The project. */
  readonly root: string;
};

/**
 * Reads the Dockerfile that the settings name; undefined if they name none.
 *
 * SECURITY: a build runs on the engine, with a network and without gVisor. So if the agent can
 * write the Dockerfile (it lies in the project or in a writable mount), only a version that the
 * user has allowed is built, from the copy in the state directory that the user was shown. The
 * allowed version stays in use until a newer one is allowed.
 *
 * Errors: `dockerfile_unreadable`, `dockerfile_unknown`.
 */
export async function findDockerfile({
  settings,
  root,
}: Where): Promise<Result<FoundDockerfile | undefined, Failure>> {
  const path = pathOf({ settings, root });
  if (path === undefined) return ok(undefined);
  const places = [
    root,
    ...settings.sandbox.mounts.flatMap((mount) => (mount.write ? [mount.source] : [])),
  ];
  const isOpen = await isInReach(path, places);
  const read = await readBounded(path);
  // SECURITY: a file with several hard links may have another name in the project.
  if (!isOpen && (!read.ok || read.value.links === 1)) {
    if (!read.ok) return err(unreadable(path, read.error));
    return ok({ file: { path, content: read.value.content } });
  }
  const dir = copiesDir(settings, path);
  const now = read.ok ? await keepCopy(dir, read.value.content) : read;
  const allowed = await allowedVersion(settings, path);
  if (allowed !== undefined) {
    const file = { path, content: allowed.content };
    if (now.ok && now.value === allowed.hash) return ok({ file });
    const change = now.ok ? "has changed" : `cannot be read (${now.error})`;
    const then = now.ok ? ` To build the new one: ${allowCommand(dir, now.value)}.` : "";
    const stays = "since you allowed it; the allowed version stays in use.";
    return ok({ file, note: `${path} ${change} ${stays}${then}` });
  }
  if (!now.ok) return err(unreadable(path, now.error));
  return err({
    kind: "dockerfile_unknown",
    message: `${path} lies where the agent can write it, and you have not allowed this version: it would be built on this machine's engine, with its network and outside of the sandbox.`,
    fix: `${allowCommand(dir, now.value)}, then send again. A Dockerfile outside of the project does not need to be allowed.`,
  });
}

/**
 * Allows a version of the Dockerfile: the only kept copy whose hash begins with the typed digits.
 *
 * SECURITY: the file in the project is not consulted. The agent may have changed it since the copy
 * was shown, to a version whose hash begins with the same digits.
 *
 * Errors: `dockerfile_unknown`.
 */
export async function allowDockerfile(
  { settings, root }: Where,
  typed: string,
): Promise<Result<string, Failure>> {
  const path = pathOf({ settings, root });
  if (path === undefined) return err(unknown("The configuration does not set sandbox.dockerfile."));
  const dir = copiesDir(settings, path);
  const copy = await shownCopy(dir, path, typed);
  if (!copy.ok) return copy;
  const all = { ...(await readAllowed(settings)), [path]: copy.value };
  await writePrivate(allowedFile(settings), `${JSON.stringify(all)}\n`);
  return ok(
    `The version ${copy.value.slice(0, MIN_DIGITS)} of ${path} is allowed, as it is in ${join(dir, copy.value)}; the sandbox's next start builds it.`,
  );
}

/** The full hash of the only copy that matches. Errors: `dockerfile_unknown`. */
async function shownCopy(
  dir: string,
  path: string,
  typed: string,
): Promise<Result<string, Failure>> {
  const again = "Send again to see which version is there now, and where to read it.";
  if (!/^[0-9a-f]{1,64}$/.test(typed) || typed.length < MIN_DIGITS)
    return err(
      unknown(
        `"${typed.replace(/[^\w.-]/g, "?").slice(0, 70)}" is not the hash of a version.`,
        again,
      ),
    );
  let names: string[];
  try {
    names = (await readdir(dir)).filter((name) => HASH.test(name) && name.startsWith(typed));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== "ENOENT")
      return err(unknown(`The copies in ${dir} cannot be read (${code}).`, `ls -l ${dir}`));
    names = [];
  }
  const [hash, other] = names;
  if (hash === undefined)
    return err(
      unknown(`No version of ${path} with this hash was shown, so nothing is allowed.`, again),
    );
  if (other !== undefined)
    return err(
      unknown(
        `${names.length} versions of ${path} have a hash that begins with ${typed}, so nothing is allowed.`,
        `Read them and type the full hash:\n${names.map((name) => join(dir, name)).join("\n")}`,
      ),
    );
  const read = await readCopy(dir, hash);
  if (read !== undefined) return ok(hash);
  return err(
    unknown(`${join(dir, hash)} is not the copy that was made, so nothing is allowed.`, again),
  );
}

function pathOf({ settings, root }: Where): string | undefined {
  const named = settings.sandbox.dockerfile;
  if (named === undefined) return undefined;
  return isAbsolute(named) ? normalize(named) : join(root, named);
}

function allowCommand(dir: string, hash: string): string {
  return `read ${join(dir, hash)} and, if you agree, :CodexChat sandbox allow ${hash}`;
}

async function allowedVersion(
  settings: Where["settings"],
  path: string,
): Promise<{ readonly hash: string; readonly content: string } | undefined> {
  const hash = (await readAllowed(settings))[path];
  if (hash === undefined) return undefined;
  const content = await readCopy(copiesDir(settings, path), hash);
  return content === undefined ? undefined : { hash, content };
}

/** The content of a copy; undefined if it is gone or was changed. */
async function readCopy(dir: string, hash: string): Promise<string | undefined> {
  const copy = await readBounded(join(dir, hash));
  return copy.ok && hashOf(copy.value.content) === hash ? copy.value.content : undefined;
}

async function readAllowed(settings: Where["settings"]): Promise<z.infer<typeof Allowed>> {
  try {
    return Allowed.parse(JSON.parse(await readFile(allowedFile(settings), "utf8")));
  } catch {
    return {};
  }
}

/**
 * Keeps a copy to show to the user, and returns its hash. Error: why it cannot be shown faithfully.
 */
async function keepCopy(dir: string, content: string): Promise<Result<string, string>> {
  const unseen = unseenIn(content);
  if (unseen !== undefined) return err(unseen);
  const hash = hashOf(content);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if ((await readCopy(dir, hash)) === undefined) await writePrivate(join(dir, hash), content);
  return ok(hash);
}

function allowedFile({ state_dir: stateDir }: Where["settings"]): string {
  return join(stateDir, "dockerfiles", "allowed.json");
}

/** Each Dockerfile has its own directory, since a version was shown as a version of that file. */
function copiesDir({ state_dir: stateDir }: Where["settings"], path: string): string {
  return join(stateDir, "dockerfiles", hashOf(path).slice(0, 16));
}

function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}

function unknown(message: string, fix?: string): Failure {
  return { kind: "dockerfile_unknown", message, ...(fix === undefined ? {} : { fix }) };
}

function unreadable(path: string, reason: string): Failure {
  return {
    kind: "dockerfile_unreadable",
    message: `${path} (sandbox.dockerfile) cannot be used: ${reason}.`,
    fix: "Make that file readable text, or remove sandbox.dockerfile from the configuration.",
  };
}
