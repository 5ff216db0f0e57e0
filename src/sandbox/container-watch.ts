import { join } from "node:path";
import type Docker from "dockerode";
import { LookError, statsAt } from "../look.ts";
import { containerEnd, containerOutOfMemory, removeContainer } from "./container/index.ts";
import type { Engine } from "./engine/index.ts";
import type { MountGuard } from "./guard/index.ts";
import { putBack } from "./mounts/index.ts";

/** Why a sandbox is no longer usable. */
export type SandboxEnd =
  /** The container ended: the keeper gave up, or it was removed from elsewhere (137). */
  | { readonly reason: "exited"; readonly exitCode: number | null }
  /**
   * A protected file was replaced on the host (an editor saved by renaming, another branch was
   * checked out). The new file was writable inside, so the container was removed at once.
   */
  | { readonly reason: "protection_lost"; readonly name: string }
  /** The project's directory itself is gone or has another name; the container was removed. */
  | { readonly reason: "project_gone"; readonly root: string }
  /** Another directory has taken the project's place; the container, which had the old one, was removed. */
  | { readonly reason: "project_replaced"; readonly root: string }
  /** A protected file can no longer be looked at, so it is not known whether it is the same. */
  | { readonly reason: "protection_unknown"; readonly why: string; readonly fix: string }
  /** The kernel killed a process in it for lack of memory, after which programs hang; it was removed. */
  | { readonly reason: "out_of_memory" }
  /** The connection to the engine broke. */
  | { readonly reason: "engine_lost" }
  /** This host released or removed it. */
  | { readonly reason: "released" };

/** Why a sandbox ended, for the user, and what to do about it. */
export function describeEnd(end: SandboxEnd): { readonly message: string; readonly fix: string } {
  const again = "Send again: that restarts the sandbox.";
  switch (end.reason) {
    case "exited":
      return { message: `The sandbox ended${exitText(end.exitCode)}.`, fix: again };
    case "protection_lost":
      return {
        message: `The sandbox was ended because ${end.name} was replaced on this machine: only the file that was there when the sandbox started is protected.`,
        fix: again,
      };
    case "protection_unknown":
      return {
        message: `The sandbox was ended because ${end.why}, so it was not known whether the protected file there is still the same.`,
        fix: `${end.fix}\n${again}`,
      };
    case "project_gone":
      return {
        message: `${end.root} was removed or renamed, so the sandbox was ended.`,
        fix: `Nothing of the conversation is lost. ${putBack(end.root)}`,
      };
    case "project_replaced":
      return {
        message: `${end.root} was replaced by another directory, so the sandbox was ended: it had the old one.`,
        fix: again,
      };
    case "out_of_memory":
      return {
        message: "The sandbox ran out of memory and was ended.",
        fix: `${again} Its limit is sandbox.memory in the configuration.`,
      };
    case "engine_lost":
      return {
        message: "The connection to the container engine broke.",
        fix: `sudo systemctl status docker\n${again}`,
      };
    case "released":
      return { message: "The sandbox was stopped.", fix: again };
    default:
      return end satisfies never;
  }
}

function exitText(code: number | null): string {
  if (code === 0) return " because no relay was connected to it any more";
  if (code === 137) return ": it was killed or removed";
  return code === null ? "" : ` with exit code ${code}`;
}

/** The watch of one host over a running container. */
export type ContainerWatch = {
  /** Resolves once, with the first reason; never rejects. */
  readonly ended: Promise<SandboxEnd>;
  readonly hasEnded: () => boolean;
  /** Ends the watch because this host no longer uses the container. */
  readonly release: () => void;
};

/** Why a protected file is no longer the one that was mounted. */
export async function whyLost(root: string, name: string): Promise<SandboxEnd> {
  try {
    if ((await statsAt(root)) === undefined) return { reason: "project_gone", root };
    await statsAt(join(root, name));
  } catch (cause) {
    if (cause instanceof LookError)
      return { reason: "protection_unknown", why: cause.message, fix: cause.fix };
  }
  return name === "." ? { reason: "project_replaced", root } : { reason: "protection_lost", name };
}

/** Watches a running container, and removes it when it must not go on. */
export function watchContainer(
  engine: Engine,
  container: Docker.Container,
  guard: MountGuard,
  root: string,
): ContainerWatch {
  const watching = new AbortController();
  let cause: SandboxEnd | undefined;
  let settle: (end: SandboxEnd) => void = () => {};
  const ended = new Promise<SandboxEnd>((resolve) => {
    settle = resolve;
  });
  // The first cause counts: a removal by this host must not be reported as the container's own exit.
  const finish = async (end: SandboxEnd, before: () => Promise<void>): Promise<void> => {
    if (cause !== undefined) return;
    cause = end;
    guard.close();
    await before().catch(() => {});
    watching.abort();
    settle(end);
  };
  const remove = () => removeContainer(engine, container.id);
  const nothing = async () => {};
  void guard.lost.then(async (name) => finish(await whyLost(root, name), remove));
  void containerOutOfMemory(engine, container.id, watching.signal).then(() =>
    finish({ reason: "out_of_memory" }, remove),
  );
  void containerEnd(container, watching.signal).then((end) => finish(end, nothing));
  return {
    ended,
    hasEnded: () => cause !== undefined,
    release: () => void finish({ reason: "released" }, nothing),
  };
}
