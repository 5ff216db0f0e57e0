import { lstat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import * as z from "zod";
import { demux, type Engine } from "../engine/index.ts";
import { engineFault } from "../error.ts";
import { type LockPlace, type MachineLock, takeLock } from "../locks/index.ts";
import { StateFault } from "../state-fault.ts";

/** A container that exists. */
export type ExistingContainer = {
  readonly id: string;
  readonly running: boolean;
  /** Whether it ever ran. */
  readonly wasStarted: boolean;
  readonly labels: Readonly<Record<string, string>>;
};

/** Finds a container by name; undefined if there is none. */
export async function findContainer(
  engine: Engine,
  name: string,
): Promise<ExistingContainer | undefined> {
  try {
    const { Id, State, Config } = await engine.docker.getContainer(name).inspect();
    return {
      id: Id,
      running: State.Running && !State.Paused,
      wasStarted: State.Status !== "created",
      labels: Config.Labels ?? {},
    };
  } catch (cause) {
    if (engineFault(cause).status === 404) return undefined;
    throw cause;
  }
}

/**
 * The lock under which a container is opened, released or swept. It is in the state directory that
 * the container is made from, which every host that may do so shares.
 */
export function containerLock(engine: Engine, name: string, stateDir: string): LockPlace {
  return { dir: join(stateDir, "locks"), name: `container ${engine.id} ${name}` };
}

/**
 * Takes that lock to end the container. Undefined if the state directory is gone: taking the lock
 * would create it again.
 */
export async function lockToEnd(
  engine: Engine,
  name: string,
  stateDir: string,
): Promise<MachineLock | undefined> {
  try {
    await lstat(stateDir);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw StateFault.unreadable(stateDir, cause);
  }
  return takeLock(containerLock(engine, name, stateDir));
}

/** Removes a container at once and resolves when its name is free; it need not exist. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  const container = engine.docker.getContainer(id);
  try {
    await container.remove({ force: true, v: true });
  } catch (cause) {
    const { status } = engineFault(cause);
    if (status === 404) return;
    // 409: it ended by itself and the engine is removing it.
    if (status !== 409) throw cause;
    try {
      await container.wait({ condition: "removed" });
    } catch (gone) {
      if (engineFault(gone).status !== 404) throw gone;
    }
  }
}

/** What a container's first process writes; both streams must be read, and end with `close`. */
export type AttachedOutput = {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly close: () => void;
};

/** Attaches to a container's output before it is started, so that nothing is missed. */
export async function attachOutput(container: Docker.Container): Promise<AttachedOutput> {
  const how = { stream: true, hijack: true, stdout: true, stderr: true };
  const socket = (await container.attach(how)) as unknown as Socket;
  socket.on("error", () => {});
  const { stdout, stderr } = demux(socket);
  return { stdout, stderr, close: () => socket.destroy() };
}

/** How a container ended. */
export type ContainerEnd =
  | { readonly reason: "exited"; readonly exitCode: number | null }
  | { readonly reason: "engine_lost" };

/**
 * Resolves when the kernel has killed a process in the container for lack of memory; else stays
 * pending. Under gVisor the kernel picks one of gVisor's helper processes, and the program that it
 * ran hangs for ever (runsc 20240729), so the container has to be ended.
 */
export function containerOutOfMemory(
  engine: Engine,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const filters = { container: [id], event: ["oom"] };
    engine.docker.getEvents({ filters, abortSignal: signal }).then(
      (events) => {
        // If the stream ends, the engine is gone, which `containerEnd` notices as well.
        events.on("error", () => {});
        events.once("data", () => resolve());
      },
      () => {},
    );
  });
}

const WaitResult = z.object({ StatusCode: z.number() });

/**
 * Resolves when the container has ended or the engine no longer answers; never rejects.
 * Stays pending after `signal` is aborted.
 *
 * It reads the engine's answer as a stream, because docker-modem's `wait` never settles when the
 * connection breaks after the answer's headers, which the engine sends at once.
 */
export function containerEnd(
  container: Docker.Container,
  signal: AbortSignal,
): Promise<ContainerEnd> {
  return new Promise((resolve) => {
    const settle = (end: ContainerEnd) => {
      if (!signal.aborted) resolve(end);
    };
    const dial = {
      path: `/containers/${container.id}/wait?`,
      method: "POST",
      isStream: true,
      statusCodes: { 200: true, 404: "no such container", 500: "server error" },
      options: {},
      abortSignal: signal,
    };
    container.modem.dial(dial, (cause: unknown, response: IncomingMessage | null) => {
      if (response === null || cause !== null) {
        const gone = engineFault(cause).status === 404;
        settle(gone ? { reason: "exited", exitCode: null } : { reason: "engine_lost" });
        return;
      }
      text(response).then(
        (body) => settle(waited(body)),
        () => settle({ reason: "engine_lost" }),
      );
    });
  });
}

/** An engine that is shut down may end the answer properly but without a body. */
function waited(body: string): ContainerEnd {
  try {
    return { reason: "exited", exitCode: WaitResult.parse(JSON.parse(body)).StatusCode };
  } catch {
    return { reason: "engine_lost" };
  }
}
