import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chown, mkdir, open } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { quoteForShell, realPathOf, statsAt } from "../../look.ts";
import { contains } from "../../paths.ts";
import { HOME_DIR } from "../container-spec.ts";
import { outermost, parentDirsOf } from "../git/index.ts";
import { fileIdentity, type GuardedFile } from "../guard/index.ts";
import { PROTECTED_NAMES } from "../mounts/index.ts";

/** Where the tools' caches are inside: where most look anyway. */
const CACHE_DIR = `${HOME_DIR}/.cache`;

/** What of a project is kept between containers, in volumes of the engine's. */
export type CacheOptions = {
  /** Whether package managers keep what they fetched. */
  readonly tools: boolean;
  /** Directories of the project, relative to its root, that are the sandbox's own inside. */
  readonly dirs: readonly string[];
};

/** A volume of the engine's, mounted writable. */
type VolumeMount = { readonly volume: string; readonly target: string };

/** A volume that is to be there, and what it begins with. */
export type Cache = VolumeMount & {
  /** What it is for: "tools" or the directory. */
  readonly what: string;
  /** The host's directory that its content begins as; without, it is empty. */
  readonly seed?: string;
  /** Another one means that it is made anew. */
  readonly version: string;
  /** Said when it is made. */
  readonly note?: string;
};

/** The caches of a project, as they will be mounted. */
export type Caches = {
  readonly caches: readonly Cache[];
  readonly env: Readonly<Record<string, string>>;
  /** The mounts' places: one that is replaced on the host loses its mount. */
  readonly guarded: readonly GuardedFile[];
  readonly notes: readonly string[];
};

/** What a package manager notes of what it installed takes some MB in a large project. */
const MAX_STATE_BYTES = 64 * 1024 ** 2;

/** What makes a directory of this name worth a volume where it is absent. */
const MARKERS: Readonly<Record<string, string>> = {
  node_modules: "package.json",
  target: "Cargo.toml",
};

/** In `dirs` this stands for every virtual environment, whatever its name. */
const ENVIRONMENT = ".venv";
/**
 * How many mounts they may cost, the directories above them included: each volume takes a tenth of
 * a second to make, and gVisor has room for 253 mounts (fold-mounts.ts). SECURITY: the agent can
 * make any number of them.
 */
const MAX_ENVIRONMENT_MOUNTS = 40;
/** The names that tools and people give them: these come first. */
const USUAL = /(^|\/)\.?(?:v?env|virtualenv|tox|nox)$/;
/** How many of those that are left out are named. */
const MAX_NAMED = 5;
/** What makes environments by the dozen, anew with each run. */
const ENVIRONMENTS = /(^|\/)\.(?:tox|nox)$/;

/** Variables by which tools find their caches where the home's own `.cache` is not their default. */
const TOOL_ENV: Readonly<Record<string, string>> = {
  npm_config_cache: `${CACHE_DIR}/npm`,
  npm_config_store_dir: `${CACHE_DIR}/pnpm`,
  YARN_GLOBAL_FOLDER: `${CACHE_DIR}/yarn-berry`,
  CARGO_HOME: `${CACHE_DIR}/cargo`,
  GOMODCACHE: `${CACHE_DIR}/go-mod`,
  GRADLE_USER_HOME: `${CACHE_DIR}/gradle`,
};

/**
 * Finds what of a project gets volumes. A directory that is absent and has its marker is made, as
 * a place to mount at: else the agent would make it, and the host would run what is in it.
 *
 * SECURITY: editors and shells run what lies in `node_modules/.bin` and `.venv/bin`. With a volume
 * in their place, the agent's installs stay inside, and the host's cannot be changed.
 */
export async function planCaches(
  root: string,
  hash: string,
  options: CacheOptions,
  user: { readonly uid: number; readonly gid: number },
  environments: readonly string[] = [],
): Promise<Caches> {
  const caches: Cache[] = [];
  const guarded: GuardedFile[] = [];
  const notes: string[] = [];
  if (options.tools)
    caches.push({
      volume: volumeName(hash, "tools"),
      target: CACHE_DIR,
      what: "tools",
      version: "1",
    });
  const named = new Set(options.dirs.map(tidy));
  const all = named.has(ENVIRONMENT) ? environmentsIn(environments, named) : [];
  const found = withinBounds(all);
  const left = all.filter((it) => !found.includes(it));
  if (left.length > 0) notes.push(leftNote(left));
  for (const dir of new Set([...named, ...found])) {
    const place = await placeOf(root, dir, user);
    if (place === undefined) continue;
    if ("reason" in place) {
      notes.push(`sandbox.caches: ${dir} is not kept apart from the host's: ${place.reason}.`);
      continue;
    }
    guarded.push({ name: dir, identity: (await fileIdentity(place.path)) ?? "", replaced: true });
    caches.push({
      volume: volumeName(hash, dir),
      target: place.path,
      what: dir,
      ...(await seedOf(dir, place.path)),
      ...(found.includes(dir) ? { note: environmentNote(dir) } : {}),
    });
  }
  return { caches, env: options.tools ? TOOL_ENV : {}, guarded, notes };
}

/**
 * The directories of virtual environments. What is named already, or lies in that or in what is
 * read-only, is left out.
 */
function environmentsIn(
  environments: readonly string[],
  named: ReadonlySet<string>,
): readonly string[] {
  const dirs = environments.map((it) => (ENVIRONMENTS.test(dirname(it)) ? dirname(it) : it));
  return outermost([...named, ...dirs]).filter(
    (it) => dirs.includes(it) && !PROTECTED_NAMES.includes(it.split("/")[0] ?? ""),
  );
}

/** As many of them as can be mounted: the usual names, then the topmost. */
function withinBounds(dirs: readonly string[]): readonly string[] {
  const rank = (dir: string) => (USUAL.test(dir) ? 0 : 1000) + dir.split("/").length;
  const taken: string[] = [];
  for (const dir of dirs.toSorted((a, b) => rank(a) - rank(b))) {
    const more = [...taken, dir];
    if (more.length + parentDirsOf(more).length <= MAX_ENVIRONMENT_MOUNTS) taken.push(dir);
  }
  return taken;
}

function leftNote(left: readonly string[]): string {
  const names = left.slice(0, MAX_NAMED).join(", ");
  const rest = left.length > MAX_NAMED ? ` and ${left.length - MAX_NAMED} more` : "";
  return `sandbox.caches: there are more virtual environments than can be kept apart from the host's. These are shared, and what changes in them that your machine would run is said after each turn: ${names}${rest}.`;
}

function environmentNote(dir: string): string {
  const make = `python3 -m venv ${quoteForShell(dir)}`;
  const how = ENVIRONMENTS.test(dir) ? "its tool does so by itself" : `\`${make}\`, then its pip`;
  return `${dir} is empty in the sandbox: a virtual environment is of the machine that made it, and yours stays as it is. Codex can fill one of its own there: ${how}, for which network.allow = { "pypi" } opens the way without a question.`;
}

/** Undefined where the project has no use for it. */
async function placeOf(
  root: string,
  dir: string,
  user: { readonly uid: number; readonly gid: number },
): Promise<{ readonly path: string } | { readonly reason: string } | undefined> {
  const path = join(root, dir);
  const [top] = dir.split("/");
  if (isAbsolute(dir) || !contains(root, path) || PROTECTED_NAMES.includes(top ?? ""))
    return { reason: "it is no directory of the project's that could be" };
  const found = await statsAt(path);
  if (found === undefined) {
    const marker = MARKERS[dir.split("/").at(-1) ?? ""];
    const isUsed = marker !== undefined && (await isFile(join(path, "..", marker)));
    if (!isUsed) return undefined;
    const parent = await realPathOf(join(path, ".."));
    if (parent !== normalize(join(path, ".."))) return { reason: "a link leads to its place" };
    await mkdir(path);
    // A host that runs as root for another user hands over what is that user's to write.
    if (process.getuid?.() === 0 && user.uid !== 0) await chown(path, user.uid, user.gid);
    return { path };
  }
  // SECURITY: the agent may have put a link there, over whose target the volume would be mounted.
  if (!found.isDirectory() || (await realPathOf(path)) !== path)
    return { reason: "it is a link, or a link leads to it" };
  return { path };
}

/**
 * What a directory's volume begins as. For packages that is the host's own, so that tests run
 * before anything is installed inside; it begins anew when the host has installed others.
 */
async function seedOf(dir: string, path: string): Promise<Pick<Cache, "seed" | "version">> {
  if (dir.split("/").at(-1) !== "node_modules") return { version: "1" };
  for (const name of [
    ".package-lock.json",
    ".modules.yaml",
    ".yarn-integrity",
    ".yarn-state.yml",
  ]) {
    const version = await digestOf(join(path, name));
    if (version !== undefined) return { seed: path, version: version.slice(0, 12) };
  }
  return { version: "1" };
}

/**
 * Of a file's content; undefined where there is none, or too much of it. SECURITY: the agent may have
 * made it: a link, perhaps to a device that has no end, or a pipe that nobody writes to.
 */
async function digestOf(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  try {
    const stats = await file?.stat();
    if (file === undefined || !stats?.isFile() || stats.size > MAX_STATE_BYTES) return undefined;
    return createHash("sha256")
      .update(await file.readFile())
      .digest("hex");
  } finally {
    await file?.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await statsAt(path))?.isFile() === true;
}

function tidy(dir: string): string {
  return normalize(dir).replace(/(.)\/+$/, "$1");
}

function volumeName(hash: string, what: string): string {
  const word = what
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 20);
  const digest = createHash("sha256").update(what).digest("hex").slice(0, 6);
  return `codex-chat-${hash}-${word}-${digest}`;
}
