import { relative, resolve } from "node:path";
import type { Progress } from "../../log.ts";
import { type ActionParams, actions } from "../../nvim/index.ts";
import { ownOwner } from "../../process/index.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  cachesOf,
  goneCaches,
  type OurVolume,
  pruneCaches,
  removeCaches,
  volumeSizes,
} from "../../sandbox/caches/index.ts";
import type { CheckedRuntime, Engine } from "../../sandbox/engine/index.ts";
import { forgetProtected } from "../../sandbox/guard/index.ts";
import {
  imagesInUse,
  oldImages,
  removeOldImages,
  removeReplaced,
} from "../../sandbox/image/index.ts";
import { describeContainer } from "../../sandbox/index.ts";
import {
  otherHosts,
  removeSandbox,
  type SandboxPlace,
  sandboxName,
} from "../../sandbox/ownership/index.ts";
import {
  type Backend,
  findRuntime,
  imageOptions,
  type PrepareEngineOptions,
  prepareEngine,
} from "../backend/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { BUSY, type Failure } from "../failure.ts";
import type { ActionAnswer, ActionHandlers } from "./action.ts";

/** How long the search for the engine may take. */
const LOOK_MS = 20_000;

/** What the user has confirmed: that a turn, or other Neovims, may lose the container. */
type Ending = ActionParams<"sandbox/restart">;

/** The failure of a turn whose container was ended by a command. */
const RESTARTED: Failure = {
  kind: "sandbox_stopped",
  message: "The sandbox was restarted.",
  fix: "Send again.",
};

/** The commands about the project's sandbox. */
export const sandboxActions = {
  "sandbox/status": status,
  "sandbox/check": check,
  "sandbox/shell": shell,
  "sandbox/space": space,
  "sandbox/prune": prune,
  "sandbox/clear": clear,
  "sandbox/restart": async (conversation, ending) => {
    const free = await mayEnd(conversation, ending);
    return free.ok ? restart(conversation, free.value, ending) : free;
  },
  "sandbox/rebuild": rebuild,
  "sandbox/unprotect": unprotect,
} satisfies Partial<ActionHandlers>;

/** Takes a path off the list of read-only paths; it counts from the sandbox's next start. */
async function unprotect(
  { host }: Conversation,
  { path }: { readonly path: string },
): ActionAnswer<"sandbox/unprotect"> {
  const name = relative(host.root, resolve(host.root, path));
  const { wasProtected } = await forgetProtected(host.sandbox.projectDir, name);
  if (!wasProtected)
    return err({
      kind: "not_protected",
      message: `${name} is not on the list of what was read-only in this project's sandbox.`,
      fix: "See the mounts in :CodexChat sandbox status.",
    });
  host.audit.record({ event: "sandbox", action: "unprotected", reason: name });
  return ok(
    `${name} is no longer on the list of protected paths. It stays protected if your machine runs it, as it is now, by itself.`,
  );
}

async function rebuild(
  conversation: Conversation,
  ending: Ending,
): ActionAnswer<"sandbox/rebuild"> {
  const free = await mayEnd(conversation, ending);
  if (!free.ok) return free;
  const engine = free.value;
  const old = await imagesOf(conversation, engine);
  if (!old.ok) return old;
  // The old container goes on until a new image has passed the self-test.
  const proven = await prove(conversation, { rebuild: true });
  if (!proven.ok) return proven;
  const restarted = await restart(conversation, engine, ending);
  await removeReplaced(engine, old.value);
  return restarted;
}

/** Lists what can be removed: this project's caches, caches of projects that are gone, images. */
async function space(conversation: Conversation): ActionAnswer<"sandbox/space"> {
  const found = await look(conversation);
  if (!found.ok) return found;
  const { engine } = found.value;
  const inUse = await imagesOf(conversation, engine);
  if (!inUse.ok) return inUse;
  const old = await oldImages(engine, inUse.value);
  const [mine, gone] = await Promise.all([
    cachesOf(engine, whereabouts(conversation)),
    goneCaches(engine),
  ]);
  const sizes = await volumeSizes(engine, AbortSignal.timeout(LOOK_MS));
  const listed = (volumes: readonly OurVolume[]) =>
    volumes.map(({ name, what }) => ({ what, bytes: sizes.get(name) }));
  const bytes = old.reduce((sum, image) => sum + image.bytes, 0);
  return ok({ caches: listed(mine), gone: listed(gone), images: { count: old.length, bytes } });
}

/** Ends the container and removes the project's caches; answers which. */
async function clear(conversation: Conversation, ending: Ending): ActionAnswer<"sandbox/clear"> {
  const free = await mayEnd(conversation, ending);
  if (!free.ok) return free;
  const engine = free.value;
  const names: string[] = [];
  await conversation.host.sandbox.stop(RESTARTED, async () => {
    await removeSandbox(engine, whereabouts(conversation));
    const removed = await removeCaches(engine, whereabouts(conversation));
    names.push(...removed.map((volume) => volume.what));
  });
  return ok(names.length === 0 ? "nothing" : names.join(", "));
}

/** Removes images and caches that provably belong to the plugin and that nobody uses. */
async function prune(conversation: Conversation): ActionAnswer<"sandbox/prune"> {
  const found = await look(conversation);
  if (!found.ok) return found;
  const { engine } = found.value;
  const inUse = await imagesOf(conversation, engine);
  if (!inUse.ok) return inUse;
  const images = await removeOldImages(engine, inUse.value);
  const volumes = await pruneCaches(engine);
  const mib = Math.round(images.bytes / 1024 ** 2);
  return ok(
    `removed ${images.removed.length} old images (${mib} MiB at most) and ${volumes.length} caches of projects that are gone.`,
  );
}

async function status(conversation: Conversation): ActionAnswer<"sandbox/status"> {
  const found = await look(conversation);
  if (!found.ok) return found;
  const { engine, runtime } = found.value;
  const where = whereabouts(conversation);
  const container = await describeContainer(engine, await sandboxName(where));
  return ok({
    engine: `${engine.product} ${engine.version} at ${engine.host}`,
    runtime: runtimeLine(runtime),
    attached: conversation.host.running() !== undefined,
    others: await otherHosts(engine, where, await ownOwner()),
    notes: conversation.host.running()?.notes ?? [],
    ...(container === undefined
      ? {}
      : { container: { ...container, seconds: secondsSince(container.startedMs) } }),
  });
}

/**
 * Runs the self-test again. If it fails, the sandbox that runs on the same engine is ended: it can no
 * longer be trusted.
 */
async function check(conversation: Conversation): ActionAnswer<"sandbox/check"> {
  const proven = await prove(conversation, { fresh: true });
  if (proven.ok) {
    const { engine, runtime, image, report } = proven.value;
    return ok({
      held: true,
      engine: `${engine.product} ${engine.version} at ${engine.host}`,
      runtime: runtimeLine(runtime),
      image: image.tag,
      kernel: report.kernel,
      gvisor: report.gvisor,
      checks: report.checks,
    });
  }
  const { error } = proven;
  if (!("checks" in error)) return proven;
  const wasRunning = conversation.host.running() !== undefined;
  if (wasRunning) await conversation.host.sandbox.stop(error);
  const { message, fix, checks } = error;
  const answer = { held: false, message, fix, checks, ended: wasRunning };
  return ok(actions["sandbox/check"].result.parse(answer));
}

/** Answers where a shell can be opened; starts the sandbox if it does not run. */
async function shell(conversation: Conversation): ActionAnswer<"sandbox/shell"> {
  const started = await start(conversation);
  if (!started.ok) return started;
  const found = await look(conversation);
  if (!found.ok) return found;
  const { engine } = found.value;
  const container = await describeContainer(engine, await sandboxName(whereabouts(conversation)));
  if (container?.running !== true)
    return err({
      kind: "sandbox",
      message: "The sandbox has just ended.",
      fix: "Try again: that starts it.",
    });
  return ok({ socket: engine.socketPath, container: container.id, cwd: conversation.host.root });
}

/** The engine, if the container may be ended now. */
async function mayEnd(
  conversation: Conversation,
  { turn, others }: Ending,
): Promise<Result<Engine, Failure>> {
  if (!turn && conversation.host.sandbox.isBusy()) return err(BUSY);
  const found = await look(conversation);
  if (!found.ok) return found;
  const { engine } = found.value;
  const count = await otherHosts(engine, whereabouts(conversation), await ownOwner());
  if (count === 0 || others) return ok(engine);
  return err({
    kind: "sandbox_in_use",
    message: `${count === 1 ? "Another Neovim uses" : `${count} other Neovims use`} this sandbox.`,
    fix: "Close the chat there, or add a ! to end it there as well.",
  });
}

async function restart(
  conversation: Conversation,
  engine: Engine,
  { turn }: Ending,
): ActionAnswer<"sandbox/restart"> {
  // A turn may have begun while an image was built.
  if (!turn && conversation.host.sandbox.isBusy()) return err(BUSY);
  await conversation.host.sandbox.stop(RESTARTED, async () => {
    await removeSandbox(engine, whereabouts(conversation));
  });
  const started = await start(conversation);
  return started.ok ? ok({ sandbox: started.value.sandboxLabel }) : started;
}

/** Starts the sandbox, and shows its progress as for a turn. */
async function start(conversation: Conversation): Promise<Result<Backend, Failure>> {
  return showing(conversation, (onProgress, signal) =>
    conversation.host.backend(signal, onProgress),
  );
}

async function prove(
  conversation: Conversation,
  how: Pick<PrepareEngineOptions, "fresh" | "rebuild">,
): ReturnType<typeof prepareEngine> {
  const { root, settings, log, audit, sandbox } = conversation.host;
  return showing(conversation, (onProgress, signal) =>
    prepareEngine({ root, settings, env: sandbox.env, log, audit, onProgress, signal, ...how }),
  );
}

/** Shows progress in the winbar, unless a turn shows its own there. */
async function showing<T>(
  conversation: Conversation,
  run: (onProgress: (detail: Progress) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    const signal = new AbortController().signal;
    return await run((detail) => conversation.showWork(detail), signal);
  } finally {
    conversation.showWork(undefined);
  }
}

async function look({
  host,
}: Conversation): Promise<
  Result<{ readonly engine: Engine; readonly runtime: CheckedRuntime }, Failure>
> {
  return findRuntime({
    settings: host.settings,
    env: host.sandbox.env,
    signal: AbortSignal.timeout(LOOK_MS),
    onProgress: () => {},
  });
}

/** The images that this project's sandbox uses. */
async function imagesOf(
  { host }: Conversation,
  engine: Engine,
): Promise<Result<string[], Failure>> {
  const wanted = await imageOptions(host.settings, host.root);
  return wanted.ok ? ok(await imagesInUse(engine, wanted.value)) : wanted;
}

function whereabouts({ host }: Conversation): SandboxPlace {
  return { root: host.root, stateDir: host.sandbox.projectDir };
}

function runtimeLine({ name, release, args }: CheckedRuntime): string {
  const words = [name, ...(release === null ? [] : [`release ${release}`]), args.join(" ")];
  return words.filter((word) => word !== "").join(", ");
}

function secondsSince(ms: number): number {
  return Math.max(0, Math.round((Date.now() - ms) / 1000));
}
