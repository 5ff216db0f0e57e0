import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, normalize } from "node:path";

/** Where the user is, and where conversations lie. */
export type Where = {
  readonly stateDir: string;
  /** The project's directory. */
  readonly root: string;
  /** Where the project's conversations lie. */
  readonly chats: string;
  /** `history_dir`, with `~` and variables expanded. */
  readonly history?: string | undefined;
  /** Of all projects. */
  readonly all: boolean;
};

/** A directory with conversations. */
export type Place = {
  readonly dir: string;
  /** The project that all in it belong to. */
  readonly root?: string | undefined;
  /** The project's state directory, where the front matter says which project it is. */
  readonly state?: string;
  /** Whether the conversations of any project may lie there. */
  readonly isShared?: boolean;
  readonly isArchive: boolean;
};

/** The longest path that a note of a project's root may hold. */
const MAX_ROOT_CHARS = 4096;

/** The state directory of a project. `M.at` in lua/codex-chat/project/init.lua says the same. */
export function projectDir(stateDir: string, root: string): string {
  // By bytes, as Lua counts characters.
  const bytes = Buffer.from(basename(root)).toString("latin1");
  const name = bytes.replace(/[^A-Za-z0-9._-]/g, "-");
  const hash = createHash("sha256").update(root).digest("hex").slice(0, 8);
  return `${stateDir}/projects/${name === "" ? "root" : name}-${hash}`;
}

/** The archive of a place. */
export function archiveOf(place: Place): Place {
  return { ...place, dir: `${place.dir}/archive`, isArchive: true };
}

/** Where the conversations lie that are asked for, archives left out. */
export function placesOf(where: Where): readonly Place[] {
  const places = ownPlaces(where);
  if (!where.all) return places;
  const own = projectDir(where.stateDir, where.root);
  for (const { dir, root } of knownProjects(where.stateDir)) {
    if (dir === own) continue;
    places.push({ dir: `${dir}/chats`, state: dir, isArchive: false });
    if (root === undefined || projectDir(where.stateDir, root) !== dir) continue;
    const chats = historyOf(where, root);
    if (chats?.startsWith(`${root}/`)) places.push({ dir: chats, root, isArchive: false });
  }
  return places;
}

function ownPlaces(where: Where): Place[] {
  const { root, chats, history = "" } = where;
  const own = `${projectDir(where.stateDir, root)}/chats`;
  const inState: Place = { dir: own, root, isArchive: false };
  if (chats === own) return [inState];
  // SECURITY: the agent can write conversations in its project, so they belong to that project.
  const isShared = history.startsWith("/") && !`${chats}/`.startsWith(`${root}/`);
  const first = { dir: chats, root: isShared ? undefined : root, isShared, isArchive: false };
  return [first, inState];
}

function historyOf({ history }: Where, root: string): string | undefined {
  if (history === undefined) return undefined;
  const path = normalize(history.startsWith("/") ? history : `${root}/${history}`);
  return path.length > 1 ? path.replace(/\/$/, "") : path;
}

/** The state directories of all projects, and their roots where these are noted. */
function knownProjects(stateDir: string): { dir: string; root: string | undefined }[] {
  const projects = `${stateDir}/projects`;
  try {
    return readdirSync(projects, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => ({ dir: `${projects}/${name}`, root: notedRoot(`${projects}/${name}`) }));
  } catch {
    return [];
  }
}

function notedRoot(dir: string): string | undefined {
  try {
    const [line = ""] = readFileSync(`${dir}/root`, "utf8").slice(0, MAX_ROOT_CHARS).split("\n");
    return line.startsWith("/") ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Finds the project of a conversation. */
export class Owners {
  readonly #stateDir: string;
  readonly #states = new Map<string, { readonly dir: string; readonly exists: boolean }>();

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /**
   * The project of a conversation; undefined where it is not known.
   *
   * SECURITY: the front matter may have been written by an agent, and must not choose what the next
   * agent reaches: it is believed only where the place says the same, or where no agent writes.
   */
  of(place: Place, claimed: string | undefined): string | undefined {
    if (place.root !== undefined) return place.root;
    if (claimed === undefined || !claimed.startsWith("/")) return undefined;
    const state = this.#stateOf(claimed);
    if (place.state !== undefined) return state.dir === place.state ? claimed : undefined;
    return state.exists ? claimed : undefined;
  }

  #stateOf(root: string): { readonly dir: string; readonly exists: boolean } {
    const known = this.#states.get(root);
    if (known !== undefined) return known;
    const dir = projectDir(this.#stateDir, root);
    const state = { dir, exists: statSync(dir, { throwIfNoEntry: false }) !== undefined };
    this.#states.set(root, state);
    return state;
  }
}
