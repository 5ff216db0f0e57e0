/** Directories of the host for the attempts of one file, and what a user's git does in them. */
import { existsSync, realpathSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll } from "vitest";
import { quoteForShell } from "../../src/look.ts";

/** What a file's attempts have opened, put away after its last test, the latest first. */
const owned: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of owned.splice(0).reverse()) await close();
}, 120_000);

/** Has something put away after the file's last test. */
export function closeAtEnd(close: () => Promise<unknown>): void {
  owned.push(close);
}

/** A directory of its own, outside of every other one. */
export async function freshDir(name: string): Promise<string> {
  const dir = await mkdtemp(join(realpathSync(tmpdir()), `codex-chat-attack-${name}-`));
  closeAtEnd(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  return dir;
}

/** Makes something once, on first use. */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** What lies around a project on the host. Only `project` is the agent's. */
export type HostPlace = {
  readonly base: string;
  readonly project: string;
  readonly home: string;
  readonly state: string;
  /** A file of the user's, beside the project. */
  readonly secretFile: string;
  readonly secret: string;
};

/** Makes a home, a state directory, a secret beside them, and an empty project. */
export async function hostPlace(name: string): Promise<HostPlace> {
  const base = await freshDir(name);
  const project = join(base, "work", "project");
  const [home, state] = [join(base, "home"), join(base, "state")];
  const secretFile = join(home, "secret.txt");
  const secret = `canary-${Math.random().toString(36).slice(2)}`;
  for (const dir of [project, home, state]) await mkdir(dir, { recursive: true });
  await writeFile(secretFile, secret);
  return { base, project, home, state, secretFile, secret };
}

/** Who the user is to git. */
const IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@t"] as const;

/** Has the user's git see none of this machine's configuration. */
const GIT_ENV = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_PAGER: "cat",
  GIT_EDITOR: "true",
} as const;

/** The user's git. */
export async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const { all } = await execa("git", [...IDENTITY, ...args], {
    cwd,
    all: true,
    reject: false,
    stdin: "ignore",
    timeout: 20_000,
    env: GIT_ENV,
  });
  return all;
}

/** Makes a repository with one commit of `file.txt`. */
export async function plantRepository(root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  await git(root, "init", "-q", "-b", "main");
  await writeFile(join(root, "file.txt"), "one\n");
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "first");
}

/** What a user and an editor run in a project without a thought, and where it leads. */
const ORDINARY: readonly (readonly string[])[] = [
  ["status"],
  ["diff"],
  ["log", "-1", "-p"],
  ["blame", "file.txt"],
  ["checkout", "-q", "-b", "topic"],
  ["add", "-A"],
  ["commit", "-q", "--allow-empty", "-m", "by the user"],
  ["checkout", "-q", "main"],
  ["merge", "-q", "topic"],
  ["fetch", "-q", "."],
  ["log", "-2", "-p", "--glob=refs/codex/*"],
  ["stash"],
  ["status"],
];

/** A file that only a program on the host can make: it lies where no container has anything. */
export class Mark {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a new one. */
  static async make(): Promise<Mark> {
    return new Mark(join(await freshDir("mark"), "ran-on-the-host"));
  }

  /** The shell command of a payload. */
  get payload(): string {
    return `touch ${this.path}`;
  }

  get exists(): boolean {
    return existsSync(this.path);
  }
}

/**
 * Does all of that in the directory `$1`, up to the command after which the file `$2` is there, and
 * prints that one, or "all". In one shell, since Node needs as long to start a git as git to end.
 */
const USE_GIT = [
  'cd "$1" || exit 0',
  ...ORDINARY.map((args) => {
    const command = ["timeout", "20", "git", ...IDENTITY, ...args].map(quoteForShell).join(" ");
    return `${command}; [ -e "$2" ] && echo "git ${args.join(" ")}" >&3 && exit 0`;
  }),
  "echo all >&3",
].join("\n");

/** Does what a user does with git in a project, then tells what the mark says of it. */
export async function useGit(root: string, mark: Mark): Promise<{ fell: boolean; seen: string }> {
  const script = `exec 3>&1 >/dev/null 2>&1\n${USE_GIT}`;
  const { stdout } = await execa("sh", ["-c", script, "sh", root, mark.path], {
    stdin: "ignore",
    env: GIT_ENV,
  });
  if (mark.exists) return { fell: true, seen: `${stdout} ran the payload` };
  // Where the user cannot get in, neither can git.
  const count = stdout === "all" ? ORDINARY.length : 0;
  return { fell: false, seen: `${count} git commands ran nothing of the attacker's` };
}
