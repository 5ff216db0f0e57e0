import { chown, lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findGit } from "../../src/sandbox/git/git-pointer.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { PrivateGit } from "../../src/workspace/git/private-git.ts";
import { git, open, options, repository, scratchDir, USER } from "./support.ts";

/** A sandbox whose git directory is the agent's own. */
export type Private = {
  readonly root: string;
  readonly sandbox: Sandbox;
  readonly git: PrivateGit;
  readonly stateDir: string;
  /** The agent's directory, as it is on the host. */
  readonly dir: string;
};

/** Makes the user's repository; settings are its own, because the machine's are not used. */
export async function project(name?: string): Promise<string> {
  const root = await repository(name);
  await git(root, "config", "user.name", "Someone");
  await git(root, "config", "user.email", "someone@example.org");
  return root;
}

/** Opens a sandbox as the session does. */
export async function openPrivate(
  engine: Parameters<typeof open>[0],
  image: Parameters<typeof options>[0],
  root: string,
  given: { readonly stateDir?: string; readonly readable?: readonly string[] } = {},
): Promise<Private> {
  const stateDir = given.stateDir ?? join(await scratchDir("state"), "project");
  await mkdir(stateDir, { recursive: true });
  const prepared = await prepare(root, stateDir, given.readable);
  if (!prepared.ok) throw new Error(prepared.error);
  const sandbox = await open(
    engine,
    await options(image, root, { stateDir, gitMounts: prepared.value.mounts }),
  );
  prepared.value.attach(sandbox.exec);
  return { root, sandbox, git: prepared.value, stateDir, dir: join(stateDir, "git/private") };
}

/** Judges a repository as the session does. */
async function prepare(root: string, stateDir: string, readable: readonly string[] = []) {
  const place = await findGit(root);
  if (typeof place !== "object") throw new Error(`no git directory: ${place}`);
  return PrivateGit.prepare({
    root,
    ...place,
    stateDir,
    readable,
    env: { PATH: process.env["PATH"], HOME: dirname(stateDir), GIT_CONFIG_SYSTEM: "/dev/null" },
    ...USER,
  });
}

/** All files of a directory with their content, but for objects and what comes from conversations. */
export async function filesOf(dir: string, path = ""): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(join(dir, path), { withFileTypes: true })) {
    const name = join(path, entry.name);
    if (name === "objects" || name === "refs/codex") continue;
    if (entry.isDirectory()) Object.assign(files, await filesOf(dir, name));
    else files[name] = (await readFile(join(dir, name))).toString("base64");
  }
  return files;
}

/** Hands what the tests' own user has written over, where that is root. */
export async function ownAll(dir: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const stats = await lstat(dir);
  if (stats.uid !== USER.uid && !stats.isSymbolicLink()) await chown(dir, USER.uid, USER.gid);
  if (!stats.isDirectory()) return;
  for (const name of await readdir(dir)) await ownAll(join(dir, name));
}
