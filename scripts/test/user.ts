/**
 * An ordinary user for the tests of a run that was started as root: without capabilities, without
 * groups but the engine's, with a name, a home and a copy of the checkout. Root may read and write
 * every file, so a whole kind of fault does not show when tests run as root.
 */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { realpath, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { err, ok, type Result } from "../../src/result.ts";
import { cacheDir, checkout, type SetupError, toStderr } from "../setup/index.ts";
import { closedAbove } from "./closed.ts";
import { namespaceCommand } from "./namespace.ts";

/** What `whoami` says as that user. */
export const USER_NAME = "codex-chat-test";

/** The options of the keeper process, as JSON in its one argument. */
export type UserKeeperOptions = {
  readonly checkout: string;
  /** Where the user's files are made: a directory that everyone may enter. */
  readonly tempDir: string;
  /** Neovims that are to be copied with the checkout. */
  readonly neovimDir: string | undefined;
};

/** What the keeper reports once the user exists. */
export type KeptUser = { readonly uid: number; readonly dir: string };

/** A user as whom programs can run until `close`. */
export type OrdinaryUser = {
  readonly uid: number;
  /** A directory in which both root and the user may write. */
  readonly reports: string;
  /** Starts a program as the user, in the user's copy of the checkout, at the checkout's path. */
  readonly spawn: (
    argv: readonly string[],
    options: Pick<SpawnOptions, "stdio" | "env" | "detached">,
  ) => ChildProcess;
  /** Ends all processes of the user and removes the user's files. */
  readonly close: () => Promise<void>;
};

/** What the user must be able to use. */
export type UserNeeds = {
  /** Programs to run, the Neovims among them. */
  readonly programs: readonly string[];
  /** Sockets of engines. */
  readonly sockets: readonly string[];
  /** Further files to look at. */
  readonly files?: readonly string[];
};

/**
 * Makes the user, with a copy of the checkout; fails with the reason if the tests could not run as
 * that user.
 */
export async function makeUser(
  needs: UserNeeds,
  { from = checkout }: { readonly from?: string } = {},
): Promise<Result<OrdinaryUser, SetupError>> {
  const { programs, sockets, files = [] } = needs;
  const groups = await groupsFor(sockets);
  if (!groups.ok) return groups;
  const tempDir = await openTempDir();
  if (tempDir === undefined) return fail(`${tmpdir()} and /tmp are closed to other users.`, []);
  const neovimDir = join(cacheDir, "nvim");
  const isOwn = programs.some((program) => program.startsWith(`${neovimDir}/`));
  const keeper = await startKeeper({
    ...{ checkout: from, tempDir },
    neovimDir: isOwn ? neovimDir : undefined,
  });
  if (!keeper.ok) return keeper;
  const { uid, dir, close } = keeper.value;
  const needed = [nodeDir(await realpath(process.execPath)), ...programs, ...sockets, ...files];
  const command = await namespaceCommand({
    uid,
    dir,
    groups: groups.value,
    checkout: from,
    needed,
  });
  const path = await openPath(groups.value);
  const user: OrdinaryUser = {
    uid,
    reports: join(dir, "reports"),
    spawn: (argv, { env, ...how }) =>
      spawn("unshare", [...command, ...argv], {
        ...how,
        env: { ...userEnvironment(env ?? process.env, dir), PATH: path },
      }),
    close,
  };
  const reason = await whyUnusable(user, needs);
  if (reason === undefined) return ok(user);
  await close();
  return fail(`The tests cannot run as an ordinary user: ${reason}`, [
    "Fix that, or run `npm test` as an ordinary user who may use the engine.",
  ]);
}

/** The environment of a user who has just logged in, plus the variables of `env` that name no user. */
export function userEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  dir: string,
): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !OF_ANOTHER.test(entry[0]),
  );
  const home = join(dir, "home");
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    USER: USER_NAME,
    LOGNAME: USER_NAME,
    SHELL: "/bin/sh",
    TMPDIR: join(dir, "tmp"),
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local", "share"),
    XDG_STATE_HOME: join(home, ".local", "state"),
    XDG_CACHE_HOME: join(home, ".cache"),
  };
}

/** Variables that belong to the user, or the npm, that started the run. */
const OF_ANOTHER = /^(XDG_|SUDO_|SSH_|DBUS_|GIT_CONFIG|npm_|NVM_|MAIL$|OLDPWD$|PWD$|INIT_CWD$)/;

/** The groups through which a user may use the engines, as real users do. */
async function groupsFor(
  sockets: readonly string[],
): Promise<Result<readonly number[], SetupError>> {
  const groups = new Set<number>();
  for (const socket of sockets) {
    const { mode, gid } = await stat(socket);
    if ((mode & 0o006) === 0o006) continue;
    if ((mode & 0o060) !== 0o060)
      return fail(`Only its owner may use the engine's socket ${socket}.`, [
        `sudo chgrp docker ${socket} && sudo chmod g+rw ${socket}`,
      ]);
    if (gid === 0) toStderr(`${socket} is the group root's, which the tests' user joins`);
    groups.add(gid);
  }
  return ok([...groups]);
}

async function openTempDir(): Promise<string | undefined> {
  for (const dir of [await realpath(tmpdir()), "/tmp", "/var/tmp"]) {
    const inside = join(dir, "x");
    if ((await closedAbove(inside).catch(() => dir)) === undefined) return dir;
  }
  return undefined;
}

/** The directory above Node's `bin`, since npm and the headers lie there. */
function nodeDir(program: string): string {
  const dir = dirname(program);
  const isSystem = dir === "/usr/bin" || dir === "/bin" || basename(dir) !== "bin";
  return isSystem ? program : dirname(dir);
}

/** The PATH without directories that the user cannot read; such a one hides which program is missing. */
async function openPath(groups: readonly number[]): Promise<string> {
  const dirs = (process.env["PATH"] ?? "").split(delimiter);
  const own = dirname(await realpath(process.execPath));
  const open: string[] = [];
  for (const dir of dirs) {
    if (dir === own || (await closedAbove(join(dir, "x"), groups).catch(() => dir)) === undefined)
      open.push(dir);
  }
  return open.join(delimiter);
}

/** Starts the keeper of a user. The user goes with `close`, or with this process. */
async function startKeeper(
  options: UserKeeperOptions,
): Promise<Result<KeptUser & { readonly close: () => Promise<void> }, SetupError>> {
  const program = join(checkout, "dist", "scripts", "user-keeper.mjs");
  const keeper = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
    // A group of its own: a Ctrl-C at the terminal is not for it.
    detached: true,
  });
  const ended = once(keeper, "exit");
  keeper.stdin.on("error", () => {});
  const close = async () => {
    keeper.stdin.end();
    await ended;
  };
  const line = await Promise.race([
    once(keeper.stdout, "data").then(([data]) => String(data)),
    ended.then(() => undefined),
  ]);
  if (line === undefined) return fail("The ordinary user for the tests could not be made.", []);
  return ok({ ...(JSON.parse(line) as KeptUser), close });
}

/** Tries as the user what the tests need; returns what fails. */
async function whyUnusable(
  user: OrdinaryUser,
  { programs, sockets }: UserNeeds,
): Promise<string | undefined> {
  const script = `uid=$1; shift
    [ "$(id -u)" = "$uid" ] || { echo "it is uid $(id -u)"; exit 1; }
    [ -w package.json ] || { echo "it has no checkout"; exit 1; }
    for it; do
      if [ -S "$it" ]; then [ -w "$it" ] || { echo "it may not use $it"; exit 1; }
      else "$it" --version >/dev/null || { echo "it cannot run $it"; exit 1; }; fi
    done`;
  const tried = [process.execPath, ...programs, ...sockets];
  const child = user.spawn(["sh", "-c", script, "sh", String(user.uid), ...tried], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = Promise.all(
    [child.stdout, child.stderr].map((stream) => (stream === null ? "" : text(stream))),
  );
  const [code] = (await once(child, "exit")) as [number | null];
  return code === 0 ? undefined : (await said).join("").trim() || `exit code ${code}`;
}

function fail<T>(message: string, fix: readonly string[]): Result<T, SetupError> {
  return err({ kind: "unsupported", message, fix });
}
