import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { imageOptions as optionsFrom } from "../../scripts/test/image.ts";
import { type Owner, ownOwner, parseStat } from "../../src/process/process-identity.ts";
import type { Result } from "../../src/result.ts";
import { type Engine, findEngine } from "../../src/sandbox/engine/engine.ts";
import type { SandboxProcess } from "../../src/sandbox/engine/process.ts";
import type { SandboxError } from "../../src/sandbox/error.ts";
import { ensureImage, type ImageOptions } from "../../src/sandbox/image/image.ts";
import type { SandboxImage } from "../../src/sandbox/image/image-build.ts";
import { openSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox-plan.ts";

/** For whole files: starting containers takes seconds on a slow machine. */
export const SLOW = { timeout: 120_000 };

/** The user that the sandbox runs as: never root, also where the tests run as root. */
export const USER =
  process.getuid?.() === 0
    ? { uid: 1000, gid: 1000 }
    : { uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };

/** Unwraps what must succeed. */
export function must<T>(result: Result<T, SandboxError>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.kind}: ${result.error.message}`, { cause: result.error.cause });
}

/** Unwraps what must fail. */
export function refused<T>(result: Result<T, SandboxError>): SandboxError {
  if (!result.ok) return result.error;
  throw new Error("it was not refused");
}

/** The engine that the test run was given. */
export async function testEngine(): Promise<Engine> {
  const host = process.env["CODEX_CHAT_ENGINE"];
  if (host === undefined) {
    throw new Error(
      "CODEX_CHAT_ENGINE names no engine: run the tests with `npm test`, which starts one",
    );
  }
  return must(await findEngine({ env: {}, host }));
}

/** How the product's image is built here. */
export async function imageOptions(): Promise<ImageOptions> {
  return must(await optionsFrom(process.env["CODEX_CHAT_BASE_IMAGE"]));
}

/** The product's own image. */
export async function testImage(engine: Engine): Promise<SandboxImage> {
  return must(await ensureImage(engine, await imageOptions()));
}

/** A directory of the test's user, removed after the test. */
export async function scratchDir(name = "scratch"): Promise<string> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-test-")));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  // The test's user must get through it.
  await chmod(parent, 0o711);
  const dir = join(parent, name);
  await mkdir(dir);
  await own(dir);
  return dir;
}

/** Gives files made by the test to the user that the sandbox runs as. */
export async function own(...paths: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (const path of paths) await chown(path, USER.uid, USER.gid);
}

/** Runs git on the host as the test's user, with none of the machine's configuration. */
export async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "safe.directory=*"];
  const { stdout } = await execa("git", [...identity, ...args], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    ...(process.getuid?.() === 0 ? USER : {}),
  });
  return stdout;
}

/** A project with a repository of one commit. */
export async function repository(name = "project"): Promise<string> {
  const root = await scratchDir(name);
  await git(root, "init", "-q");
  await git(root, "commit", "-q", "--allow-empty", "-m", "first");
  return root;
}

/** The options for a sandbox on `root`; its state directory is removed after the test. */
export async function options(
  image: SandboxImage,
  root: string,
  more: Partial<SandboxOptions> = {},
): Promise<SandboxOptions> {
  return {
    root,
    stateDir: more.stateDir ?? join(await scratchDir("state"), "project"),
    image,
    runtime: "runsc",
    ...USER,
    owner: await ownOwner(),
    limits: { memoryBytes: 2 * 1024 ** 3 },
    ...more,
  };
}

/** Opens a sandbox that is removed after the test. */
export async function open(engine: Engine, how: SandboxOptions): Promise<Sandbox> {
  const sandbox = must(await openSandbox(engine, how));
  onTestFinished(() => sandbox.remove());
  return sandbox;
}

/** What a program inside wrote and returned. */
export type Ran = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
};

/** Runs a shell script inside to its end. */
export async function sh(
  sandbox: Sandbox,
  script: string,
  ...args: readonly string[]
): Promise<Ran> {
  const process = must(await sandbox.exec({ argv: ["sh", "-c", script, "sh", ...args] }));
  process.stdin.end();
  const [stdout, stderr] = await Promise.all([text(process.stdout), text(process.stderr)]);
  return { stdout, stderr, ...(await process.exited) };
}

/**
 * Connects to the keeper as a relay does, which has its FIFO open until its stdin ends: without one, the
 * keeper ends the container after two minutes.
 */
export async function connectKeeper(sandbox: Pick<Sandbox, "exec">): Promise<SandboxProcess> {
  const relay = must(
    await sandbox.exec({
      argv: ["sh", "-c", 'exec 9<>"$CODEX_CHAT_KEEPER"; echo up; exec cat'],
      // The project's own directory may be closed.
      cwd: "/",
    }),
  );
  relay.stderr.resume();
  await once(relay.stdout, "data");
  return relay;
}

/** Another live process that can hold leases as a second Neovim's host would. */
export async function otherHost(): Promise<{ owner: Owner; die: () => Promise<void> }> {
  const child = spawn("sleep", ["600"]);
  await once(child, "spawn");
  const stat = parseStat(await readFile(`/proc/${child.pid}/stat`, "utf8"));
  const die = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  onTestFinished(die);
  return {
    owner: { ...(await ownOwner()), pid: child.pid ?? -1, startTime: stat?.startTime ?? "" },
    die,
  };
}

/** Whether the engine still has a container of that name or id. */
export async function exists(engine: Engine, name: string): Promise<boolean> {
  try {
    await engine.docker.getContainer(name).inspect();
    return true;
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode === 404) return false;
    throw cause;
  }
}
