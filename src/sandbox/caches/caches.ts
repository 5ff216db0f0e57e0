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

/** The tools' caches inside: the place where most tools look by default. */
const CACHE_DIR = `${HOME_DIR}/.cache`;

/** Which directories outlive a container, in volumes of the engine. */
export type CacheOptions = {
  /** Whether the caches of package managers are kept. */
  readonly tools: boolean;
  /** Directories of the project, relative to its root, that the sandbox has volumes of its own for. */
  readonly dirs: readonly string[];
};

/** A volume of the engine, mounted writable. */
type VolumeMount = { readonly volume: string; readonly target: string };

/** A volume that must exist, and its first content. */
export type Cache = VolumeMount & {
  /** What it is for: "tools" or the directory. */
  readonly what: string;
  /** The host's directory that it begins as a copy of; without one it begins empty. */
  readonly seed?: string;
  /** If this changes, the volume is made again. */
  readonly version: string;
  /** A sentence for the user when it is made. */
  readonly note?: string;
};

/** The caches of a project as they will be mounted. */
export type Caches = {
  readonly caches: readonly Cache[];
  readonly env: Readonly<Record<string, string>>;
  /** Where they are mounted: a directory that is replaced on the host loses its mount. */
  readonly guarded: readonly GuardedFile[];
  readonly notes: readonly string[];
};

/** A package manager's list of installed packages takes a few MB in a large project. */
const MAX_STATE_BYTES = 64 * 1024 ** 2;

/** Files that show that a directory of this name will be needed, if it is absent. */
const MARKERS: Readonly<Record<string, string>> = {
  node_modules: "package.json",
  target: "Cargo.toml",
};

/** In `dirs` this stands for every virtual environment, of any name. */
const ENVIRONMENT = ".venv";
/**
 * How many mounts they may take, with their parent directories: making a volume takes a tenth of a
 * second, and gVisor has room for 253 mounts (fold-mounts.ts). SECURITY: the agent can make any
 * number of virtual environments.
 */
const MAX_ENVIRONMENT_MOUNTS = 40;
/** Their usual names; these come first. */
const USUAL = /(^|\/)\.?(?:v?env|virtualenv|tox|nox)$/;
/** How many of the omitted ones a note names. */
const MAX_NAMED = 5;
/** Tools that make many environments, again with each run. */
const ENVIRONMENTS = /(^|\/)\.(?:tox|nox)$/;

/** Variables that point tools to their caches, for tools whose default is not `~/.cache`. */
const TOOL_ENV: Readonly<Record<string, string>> = {
  npm_config_cache: `${CACHE_DIR}/npm`,
  npm_config_store_dir: `${CACHE_DIR}/pnpm`,
  YARN_GLOBAL_FOLDER: `${CACHE_DIR}/yarn-berry`,
  CARGO_HOME: `${CACHE_DIR}/cargo`,
  GOMODCACHE: `${CACHE_DIR}/go-mod`,
  GRADLE_USER_HOME: `${CACHE_DIR}/gradle`,
};

/**
 * Finds the directories of a project that get volumes. An absent directory whose marker file exists
 * is created as a mount point: otherwise the agent would create it, and the host would run programs
 * from it.
 *
 * SECURITY: editors and shells run programs from `node_modules/.bin` and `.venv/bin`. With a volume
 * in their place, the agent's installs stay inside and cannot change the host's.
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
  const left = all.filter((dir) => !found.includes(dir));
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
 * The directories of virtual environments, without those that are named already, or lie in one that
 * is, or in a read-only path.
 */
function environmentsIn(
  environments: readonly string[],
  named: ReadonlySet<string>,
): readonly string[] {
  const dirs = environments.map((path) =>
    ENVIRONMENTS.test(dirname(path)) ? dirname(path) : path,
  );
  return outermost([...named, ...dirs]).filter(
    (dir) => dirs.includes(dir) && !PROTECTED_NAMES.includes(dir.split("/")[0] ?? ""),
  );
}

/** As many as can be mounted: the usual names first, then the topmost. */
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
  return `sandbox.caches: there are more virtual environments than can be kept apart from the host's. The following are shared; after each turn the conversation names changes in them that your machine would run: ${names}${rest}.`;
}

function environmentNote(dir: string): string {
  const make = `python3 -m venv ${quoteForShell(dir)}`;
  const how = ENVIRONMENTS.test(dir) ? "its tool does so by itself" : `\`${make}\`, then its pip`;
  return `${dir} is empty in the sandbox: a virtual environment works only on the machine that made it, and yours is not changed. Codex can make its own there (${how}); network.allow = { "pypi" } lets it download packages without asking.`;
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
    return { reason: "it is not a directory of the project that can be" };
  const found = await statsAt(path);
  if (found === undefined) {
    const marker = MARKERS[dir.split("/").at(-1) ?? ""];
    const isUsed = marker !== undefined && (await isFile(join(path, "..", marker)));
    if (!isUsed) return undefined;
    const parent = await realPathOf(join(path, ".."));
    if (parent !== normalize(join(path, ".."))) return { reason: "a link leads there" };
    await mkdir(path);
    // A host that runs as root for another user gives that user the directory.
    if (process.getuid?.() === 0 && user.uid !== 0) await chown(path, user.uid, user.gid);
    return { path };
  }
  // SECURITY: if the agent has put a link there, the volume would be mounted over the link's target.
  if (!found.isDirectory() || (await realPathOf(path)) !== path)
    return { reason: "it is a link, or a link leads to it" };
  return { path };
}

/**
 * The first content of a directory's volume. Packages are copied from the host, so that tests run
 * before anything is installed inside; when the host's packages change, they are copied again.
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
 * A hash of a file; undefined if it is absent or too large. SECURITY: the agent may have made it, for
 * example as a link to an endless device, or as a pipe without a writer.
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
