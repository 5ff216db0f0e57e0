/** The product's own sandbox, and containers that lack its protections. */

import { text } from "node:stream/consumers";
import type { ContainerCreateOptions } from "dockerode";
import { DIRECTFS_RUNTIME, useDirectfsEngine } from "../../scripts/setup/engine/index.ts";
import { silentLog } from "../../src/log.ts";
import { removeCaches } from "../../src/sandbox/caches/volumes.ts";
import { removeContainer } from "../../src/sandbox/container/container.ts";
import { containerOptions, defaultLimits } from "../../src/sandbox/container-spec.ts";
import { type Engine, findEngine } from "../../src/sandbox/engine/engine.ts";
import {
  type ExecOptions,
  type SandboxProcess,
  startProcess,
} from "../../src/sandbox/engine/process.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { BackendOptions } from "../../src/session/backend/options.ts";
import { prepareSandbox } from "../../src/session/backend/prepare-sandbox.ts";
import { beginGit } from "../../src/session/hooks/agent-git.ts";
import { Settings } from "../../src/session/settings/settings.ts";
import type { PrivateGit } from "../../src/workspace/git/private-git.ts";
import { connectKeeper, must, testEngine, testImage } from "../../test/sandbox/support.ts";
import { closeAtEnd, freshDir, type HostPlace, lazily } from "./places.ts";

/** The engine of the test run. */
export const engine = lazily(testEngine);
const image = lazily(async () => testImage(await engine()));

/** What a program inside wrote and returned; null where it was let go of or its container died. */
export type Ran = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
};

/** A container that an attempt is made in. */
export type Inside = {
  /** Of the engine. */
  readonly id: string;
  readonly start: (what: ExecOptions) => Promise<SandboxProcess>;
  /** Runs a shell script to its end, or for `timeoutMs`; `$1…` are `args`. */
  readonly sh: (script: string, how?: ShOptions) => Promise<Ran>;
};

/** How a script is run. */
type ShOptions = {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly timeoutMs?: number;
};

/** The product's sandbox on a place's project, opened as the product opens it. */
export type Fortress = Inside & {
  readonly sandbox: Sandbox;
  readonly place: HostPlace;
  /** The agent's own git; undefined where the project has none, or it is switched off. */
  readonly git: PrivateGit | undefined;
};

const sharedState = lazily(() => freshDir("state"));

/** Opens the product's sandbox with the product's own preparation, from engine to self-test. */
export async function fortress(
  place: HostPlace,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Fortress> {
  const { sandbox: more, ...rest } = settings as { sandbox?: object };
  const stateDir = `${place.state}/projects/attacked`;
  const prepared = await prepareSandbox({
    root: place.project,
    projectDir: stateDir,
    settings: Settings.parse({
      // One for all, so that an engine is proven once; what is the project's own lies in its place.
      state_dir: await sharedState(),
      ...rest,
      sandbox: { engine: (await engine()).host, ...(await buildSettings()), ...more },
    }),
    env: { PATH: process.env["PATH"], HOME: place.home },
    version: "0",
    log: silentLog,
    onProgress: () => {},
    audit: { record: () => {}, close: async () => {} },
    signal: AbortSignal.timeout(120_000),
  } as unknown as BackendOptions);
  if (!prepared.ok) throw new Error(prepared.error.message);
  const { sandbox } = prepared.value;
  closeAtEnd(async () => {
    await sandbox.remove();
    await removeCaches(await engine(), { root: place.project, stateDir });
  });
  await connectKeeper(sandbox);
  const { git } = await beginGit(prepared.value.git, sandbox);
  const started = inside(sandbox.id, async (what) => must(await sandbox.exec(what)));
  return { ...started, sandbox, place, git };
}

async function buildSettings(): Promise<object> {
  // The image is there already; its name is found by what it was made from.
  await image();
  const base = process.env["CODEX_CHAT_BASE_IMAGE"];
  return { build_network: "host", ...(base === undefined ? {} : { base_image: base }) };
}

/** What a container lacks of the product's protections. */
export type Weakness = {
  /** Changes what would be sent to the engine. */
  readonly weaken: (options: ContainerCreateOptions) => ContainerCreateOptions;
  /** Mounted writable, at its own path. */
  readonly mounts?: readonly string[];
  /** Mounted read-only over those. */
  readonly readOnly?: readonly string[];
  readonly runtime?: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** Starts a container that is the product's but for a weakness. */
export async function weakened(weakness: Weakness): Promise<Inside> {
  const on = await engine();
  return start(on, (await image()).id, weakness);
}

/** gVisor with directfs, in which a release before 20250707 forgets that a mount is read-only. */
export const directfs = lazily(async () => {
  const other = await useDirectfsEngine((await engine()).host);
  closeAtEnd(other.close);
  const on = must(await findEngine({ env: {}, host: other.host }));
  const { Id } = await on.docker.getImage(other.baseImage).inspect();
  return (weakness: Weakness) => start(on, Id, { ...weakness, runtime: DIRECTFS_RUNTIME });
});

async function start(on: Engine, imageId: string, weakness: Weakness): Promise<Inside> {
  const { weaken, mounts = [], readOnly = [], runtime = "runsc", env = {} } = weakness;
  const options = containerOptions({
    image: imageId,
    runtime,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    env,
    // Not the plugin's own label: a sweep of the tests beside this one must not look at it.
    labels: { "codex-chat.attack": String(process.pid) },
    limits: { ...defaultLimits(on), memoryBytes: 2 * 1024 ** 3 },
    mounts: [
      ...mounts.map((path) => ({ source: path, target: path, readOnly: false })),
      ...readOnly.map((path) => ({ source: path, target: path, readOnly: true })),
    ],
    workingDir: "/",
    entrypoint: ["sleep", "600"],
  });
  const container = await on.docker.createContainer(weaken(options));
  closeAtEnd(() => removeContainer(on, container.id));
  await container.start();
  return inside(container.id, async (what) =>
    must(await startProcess(container, { cwd: "/", ...what })),
  );
}

function inside(id: string, startIn: Inside["start"]): Inside {
  return {
    id,
    start: startIn,
    sh: async (script, { args = [], cwd, timeoutMs = 60_000 } = {}) => {
      const process = await startIn({
        argv: ["sh", "-c", script, "sh", ...args],
        ...(cwd === undefined ? {} : { cwd }),
      });
      process.stdin.end();
      const late = setTimeout(process.kill, timeoutMs);
      const [stdout, stderr] = await Promise.all([text(process.stdout), text(process.stderr)]);
      clearTimeout(late);
      return { stdout, stderr, ...(await process.exited) };
    },
  };
}

/** Adds to the part of a container's options that decides what it may do. */
export function withHost(
  options: ContainerCreateOptions,
  host: NonNullable<ContainerCreateOptions["HostConfig"]>,
): ContainerCreateOptions {
  return { ...options, HostConfig: { ...options.HostConfig, ...host } };
}

/**
 * A directory that a plain container has at its own path, with nothing in it read-only. Not gVisor:
 * that keeps what was written there open for a while, so that the host cannot run it at once.
 */
export async function openPlace(name: string): Promise<{ base: string; inside: Inside }> {
  const base = await freshDir(name);
  return {
    base,
    inside: await weakened({ weaken: (options) => options, mounts: [base], runtime: "runc" }),
  };
}
