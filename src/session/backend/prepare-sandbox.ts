import { ownOwner } from "../../process/index.ts";
import { ok, type Result } from "../../result.ts";
import { allowedEnv, openSandbox, type Sandbox } from "../../sandbox/index.ts";
import type { Failure } from "../failure.ts";
import { GVISOR } from "../gvisor.ts";
import { type PreparedGit, prepareGit } from "../hooks/index.ts";
import type { BackendOptions } from "./options.ts";
import { prepareEngine } from "./prepare-engine.ts";
import { projectPlaces } from "./project-place.ts";
import { limitsOf, mountsOf, refuseKeyInEnv } from "./sandbox-options.ts";

/** A sandbox that has passed the self-test, and its label in the winbar. */
export type PreparedSandbox = {
  readonly sandbox: Sandbox;
  readonly runtimeLabel: string;
  /** Mounted, and not filled yet. */
  readonly git: PreparedGit;
};

/**
 * Prepares the engine and starts the container. The order is that of the messages that a new user
 * should see: missing parts first, checks that take a minute last.
 */
export async function prepareSandbox(
  options: BackendOptions,
): Promise<Result<PreparedSandbox, Failure>> {
  const { settings, env, log, audit, signal, onProgress } = options;
  const checked = refuseKeyInEnv(settings, env);
  if (!checked.ok) return checked;
  const proven = await prepareEngine(options);
  if (!proven.ok) return proven;
  const { engine, runtime, image, report, uid, gid } = proven.value;

  onProgress("Starting the sandbox");
  const { home, outOfReach, neverWritable } = projectPlaces(settings, env);
  const git = await prepareGit({ ...options, uid, gid });
  if (!git.ok) return git;
  const sandbox = await openSandbox(engine, {
    root: options.root,
    stateDir: options.projectDir,
    image,
    runtime: runtime.name,
    uid,
    gid,
    owner: await ownOwner(),
    ...(home === undefined ? {} : { home }),
    outOfReach,
    neverWritable,
    sharedFiles: [
      ...(settings.agents_md === undefined
        ? []
        : [{ source: settings.agents_md, codexHomeName: "AGENTS.md" }]),
      ...settings.skills_dirs.map((source) => ({ source })),
    ],
    limits: limitsOf(settings),
    mounts: mountsOf(settings),
    caches: settings.sandbox.caches,
    env: { ...allowedEnv(env), ...settings.sandbox.env },
    ...(git.value.git === undefined ? {} : { gitMounts: git.value.git.mounts }),
    onProgress,
    signal,
  });
  if (!sandbox.ok) {
    audit.record({ event: "sandbox", action: "failed", reason: sandbox.error.message });
    return sandbox;
  }
  const { name: container, joined } = sandbox.value;
  log.info({ part: "sandbox", container, joined }, "sandbox is up");
  audit.record({
    event: "sandbox",
    action: joined ? "joined" : "started",
    container,
    runtime: runtime.name,
    image: image.tag,
  });
  const runtimeLabel = report.gvisor ? GVISOR : `${runtime.name}, not gVisor`;
  const notes = [...proven.value.notes, ...sandbox.value.notes];
  return ok({ sandbox: { ...sandbox.value, notes }, runtimeLabel, git: git.value });
}
