/**
 * The programs that the host starts, from outside of every project: git, sh, find, tar, commands that
 * print keys. This is the only place that looks for them. Programs in the sandbox do not come from here.
 *
 * SECURITY: direnv and similar tools put `bin` or `node_modules/.bin` of a project on the PATH of an
 * editor that is started there, and the agent can write programs in it.
 */

import {
  accessSync,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { delimiter, dirname, isAbsolute, join, sep } from "node:path";
import { ownHomes } from "./own-user.ts";
import { err, ok, type Result } from "./result.ts";

/** More links than this in one path are a loop, as for Linux. */
const MAX_LINKS = 40;

/** Where the system looks for programs that are started without a PATH. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Real paths of the projects that this process knows: agents may have written their files. */
const projects = new Set<string>();

/** What was made of each PATH since the last project came. */
const searchPaths = new Map<string, string>();

/**
 * Leaves a project's directory out of every later look-up of programs, whichever project it is for:
 * no project needs the programs of another. A directory that holds the home is refused as a project,
 * and keeps its programs.
 */
export function leaveOut(root: string, homes = ownHomes(process.env)): void {
  const real = realOr(root);
  if (projects.has(real) || homes.some((home) => isAt(realOr(home), real))) return;
  projects.add(real);
  searchPaths.clear();
}

/** The root of the project that a real path lies in; undefined if it lies in none. */
export function projectOf(path: string): string | undefined {
  return [...projects].find((root) => isAt(path, root));
}

/** Real paths of the projects that were left out. */
export function knownProjects(): readonly string[] {
  return [...projects];
}

/**
 * A PATH of directories outside of every project. It leaves out directories in a project, directories
 * with a link into one (a program that runs looks others up itself), relative and empty entries, and
 * directories that cannot be read.
 */
export function pathOutside(path: string): string {
  // One look at each place: a directory of programs has hundreds of links through the same few.
  const seen: Seen = new Map();
  const leading = new Map<string, boolean>();
  const kept = path.split(delimiter).filter((dir) => {
    const real = follow(dir, seen);
    if (!real.ok) return real.error.isAbsent;
    const leads = leading.get(real.value) ?? leadsIn(real.value, seen);
    leading.set(real.value, leads);
    return !leads;
  });
  return kept.join(delimiter);
}

/**
 * The PATH for a program that is started with a few variables of its own. The environment keeps its
 * PATH: a program may lie beside a link into a project, and `findProgram` looks for it there.
 */
export function searchPath(env: NodeJS.ProcessEnv = process.env): string {
  const path = env["PATH"] ?? USUAL_PATH;
  const known = searchPaths.get(path);
  if (known !== undefined) return known;
  const outside = pathOutside(path);
  searchPaths.set(path, outside);
  return outside;
}

/** Variables that say where the user works; no program that the host starts obeys them. */
const HARMLESS = /^(?:PWD|OLDPWD|DIRENV_\w+|VIRTUAL_ENV|CONDA_PREFIX)$/;
const LIST = /(?:PATH|DIRS)$/;

/**
 * An environment for a program that the host starts, without variables that name a path in a project.
 * A list of directories loses only its entries in one.
 *
 * SECURITY: many programs run or obey a file that a variable names (LD_PRELOAD, BASH_ENV,
 * PYTHONSTARTUP), and the agent can write the files of a project.
 */
export function childEnv(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name === "PATH") kept[name] = pathOutside(value);
    else if (HARMLESS.test(name)) kept[name] = value;
    else if (LIST.test(name) && value !== "") {
      const dirs = value.split(delimiter).filter((dir) => !namesProject(dir) && isAbsolute(dir));
      if (dirs.length > 0) kept[name] = dirs.join(delimiter);
    } else if (!namesProject(value)) kept[name] = value;
  }
  return kept;
}

/** Whether a part of a value is a relative path, or one that lies in a project or leads into one. */
function namesProject(value: string): boolean {
  return value.split(/[\s:;,='"]+/).some((part) => {
    const path = /^[^/]*(?=\/)/.exec(part)?.[0] ?? part;
    if (/^\.{1,2}$/.test(path)) return true;
    const at = part.indexOf(sep);
    if (at === -1) return false;
    const real = follow(part.slice(at));
    return !real.ok && real.error.isInProject;
  });
}

/**
 * Finds the program of this name on the PATH, or at this path, outside of every project. Links are
 * kept: some programs go by the name that they are called by.
 *
 * The error says why a program that was found is not run, or that there is none.
 */
export function findProgram(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Result<string, string> {
  // Every candidate is followed by itself: beside a link into a project lie other programs.
  const dirs = (env["PATH"] ?? USUAL_PATH).split(delimiter);
  const candidates = name.includes(sep) ? [name] : dirs.map((dir) => `${dir || "."}${sep}${name}`);
  let refusal: string | undefined;
  let unseen: string | undefined;
  for (const path of candidates) {
    const look = lookFor(path);
    if (look !== "program") {
      if (look !== "none") unseen ??= `${dirname(path)} cannot be accessed (${look.code})`;
      continue;
    }
    const real = follow(path);
    if (real.ok) return ok(path);
    refusal ??= `${path} is not run: ${real.error.why}`;
  }
  if (refusal !== undefined) return err(refusal);
  const where = name.includes(sep) ? "" : " on the PATH";
  const rest = unseen === undefined ? "" : `${where}, as far as can be seen: ${unseen}`;
  return err(`there is no such program${rest}`);
}

/**
 * The path to start a program of the system by. If there is none outside of every project, it is a path
 * with nothing there, so that starting it fails as for a program that is not installed.
 */
export function program(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const found = findProgram(name, env);
  return found.ok ? found.value : join("/nonexistent", name);
}

type Unusable = { readonly isAbsent: boolean; readonly isInProject: boolean; readonly why: string };

/** What was found at places in one look at many paths: the target of a link, null for all else. */
type Seen = Map<string, string | null>;

/**
 * Follows a path link by link to its real one.
 *
 * SECURITY: both the place of a link and its target count. The agent can change a link in a project,
 * whatever it names now.
 */
function follow(path: string, seen: Seen = new Map()): Result<string, Unusable> {
  const unseen = (why: string, isAbsent = false) => err({ isAbsent, isInProject: false, why });
  if (!isAbsolute(path)) return unseen("it is relative to the working directory");
  const rest = path.split(sep);
  let at: string = sep;
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = dirname(at);
      continue;
    }
    const place = join(at, part);
    const project = projectOf(place);
    if (project !== undefined) {
      const why = `it lies in the project ${project} or leads there, and Codex can write in it`;
      return err({ isAbsent: false, isInProject: true, why });
    }
    try {
      const target = targetAt(place, seen);
      if (target === null) {
        at = place;
        continue;
      }
      if (++links > MAX_LINKS) return unseen("it cannot be accessed (ELOOP)");
      rest.unshift(...target.split(sep));
      if (isAbsolute(target)) at = sep;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      return unseen(`it cannot be accessed (${code})`, ["ENOENT", "ENOTDIR"].includes(code));
    }
  }
  return ok(at);
}

/** The target of the link at a place; null if it is no link. */
function targetAt(place: string, seen: Seen): string | null {
  const known = seen.get(place);
  if (known !== undefined) return known;
  const target = lstatSync(place).isSymbolicLink() ? readlinkSync(place) : null;
  seen.set(place, target);
  return target;
}

/** Whether an entry of this directory is a link into a project; true also if that is not known. */
function leadsIn(dir: string, seen: Seen): boolean {
  try {
    return readdirSync(dir, { withFileTypes: true }).some((entry) => {
      if (!entry.isSymbolicLink()) return false;
      const place = join(dir, entry.name);
      const target = readlinkSync(place);
      // A link to a neighbour: the neighbour is looked at in its turn.
      if (!target.includes(sep)) return false;
      seen.set(place, target);
      const real = follow(place, seen);
      return !real.ok && real.error.isInProject;
    });
  } catch {
    return true;
  }
}

/** Whether a program is at a path; an error code if the way to it cannot be read. */
function lookFor(path: string): "program" | "none" | { readonly code: string } {
  try {
    if (!statSync(path).isFile()) return "none";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return ["ENOENT", "ENOTDIR"].includes(code) ? "none" : { code };
  }
  try {
    accessSync(path, constants.X_OK);
    return "program";
  } catch {
    return "none";
  }
}

function isAt(path: string, dir: string): boolean {
  return path === dir || path.startsWith(join(dir, sep));
}

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It does not exist yet.
    return join(path);
  }
}
