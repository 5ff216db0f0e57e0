import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
} from "node:fs";
import { codeOf } from "./error-code.ts";
import { ownHomes } from "./own-user.ts";

const { O_DIRECTORY, O_NOFOLLOW } = constants;
/** Of Linux, the same on every architecture: a descriptor that needs no right to read. */
export const O_PATH = 0x200000;

/** Where a file is reached from. */
export type PlaceOptions = {
  /** A directory that no agent writes in, such as the state directory: links to it are the user's. */
  readonly trusted?: string | undefined;
  /** Makes what is missing of it, for the user alone. */
  readonly make?: boolean;
};

/**
 * Opens a directory and gives its descriptor, which the caller closes.
 *
 * SECURITY: conversations may lie in the project, where the sandbox can put a link in the place of
 * any directory at any moment. So every step goes from an open directory to one name in it and
 * follows no link, as openat(2) does; Node has no openat, and `/proc/self/fd/N/name` is the same. It
 * begins in the trusted directory, else in the home, else at the root of the file system: the agent
 * can write in none of them. `lua/codex-chat/disk/look.lua` does the same.
 *
 * @throws the error of the file system, with its `code`; `ELOOP` where something on the way is a link.
 */
export function openPlace(path: string, options: PlaceOptions = {}): number {
  const start = startOf(path, options.trusted);
  let fd = openSync(start, O_PATH | O_DIRECTORY);
  let shown = start === "/" ? "" : start;
  try {
    for (const name of path.slice(start.length).split("/")) {
      if (name === "") continue;
      if (name === "." || name === "..")
        throw problem("EINVAL", `${path} has ${name} in it: give the directory itself`);
      shown = `${shown}/${name}`;
      const next = step(fd, name, shown, options.make === true);
      closeSync(fd);
      fd = next;
    }
    return fd;
  } catch (cause) {
    closeSync(fd);
    throw cause;
  }
}

/** The path of a file by the descriptor of its directory. */
export function inPlace(fd: number, name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
    throw problem("EINVAL", `not one name: ${JSON.stringify(name)}`);
  return `/proc/self/fd/${fd}/${name}`;
}

/**
 * Opens a plain file for reading; the caller closes it.
 *
 * SECURITY: the sandbox may have put a link, a pipe or a device in its place. What stands there is
 * looked at through a descriptor that cannot read, so that no pipe is waited for and no device acts,
 * and only that very file is opened.
 *
 * @throws the error of the file system, with its `code`, and where it is not a plain file.
 */
export function openPlain(place: string, path: string): { fd: number; stat: BigIntStats } {
  const handle = openSync(place, O_PATH | O_NOFOLLOW);
  try {
    const stat = fstatSync(handle, { bigint: true });
    if (!stat.isFile()) throw notPlain(path, stat.isSymbolicLink());
    return { fd: openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY), stat };
  } finally {
    closeSync(handle);
  }
}

/**
 * The permissions of the plain file that a write replaces; those of a private one where there is
 * none.
 *
 * @throws where it cannot be told, and where something else is in its place: `ELOOP` for a link.
 */
export function modeOfPlain(place: string, path: string): number {
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return 0o600;
  if (stat.isFile()) return stat.mode & 0o777;
  throw notPlain(path, stat.isSymbolicLink());
}

function step(fd: number, name: string, shown: string, make: boolean): number {
  const place = inPlace(fd, name);
  const flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  try {
    return openSync(place, flags);
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT" || !make) throw judged(cause, place, shown);
  }
  try {
    mkdirSync(place, 0o700);
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw judged(cause, place, shown);
  }
  try {
    return openSync(place, flags);
  } catch (cause) {
    throw judged(cause, place, shown);
  }
}

/** The error as it is said of the path that was meant, not of the one by descriptor. */
function judged(cause: unknown, place: string, shown: string): Error {
  const code = codeOf(cause);
  if (code === "ENOTDIR" || code === "ELOOP") {
    const stat = lstatSync(place, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) return isLink(shown, "name the directory itself, or `rm` the link");
    return problem(code, `${shown} is not a directory: move it away`);
  }
  return problem(code, `${shown}: ${code}`, cause);
}

function isLink(path: string, fix = "look with `ls -l`, then `rm` it"): Error {
  return problem("ELOOP", `${path} is a link, which the sandbox may have made: ${fix}`);
}

/** The error of something that stands in the place of a plain file: `ELOOP` for a link. */
export function notPlain(path: string, link: boolean): Error {
  if (link) return isLink(path);
  return problem("EINVAL", `${path} is not a plain file: look with \`ls -ld\`, then move it away`);
}

function startOf(path: string, trusted: string | undefined): string {
  for (const dir of [trusted, ...ownHomes(process.env)]) {
    const start = dir?.replace(/\/+$/, "");
    if (start !== undefined && start !== "" && (path === start || path.startsWith(`${start}/`)))
      return start;
  }
  return "/";
}

function problem(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}
