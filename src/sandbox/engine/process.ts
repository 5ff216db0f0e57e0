import type { Socket } from "node:net";
import { type Readable, Writable } from "node:stream";
import type Docker from "dockerode";
import { err, ok, type Result } from "../../result.ts";
import { engineFault, type SandboxError } from "../error.ts";
import { demux } from "./demux.ts";

/** How often the engine is asked for an exit code after the output has ended. */
const EXIT_CODE_TRIES = 20;
const EXIT_CODE_PAUSE_MS = 50;

/** A program to run inside; `argv[0]` is looked up in the container's PATH. */
export type ExecOptions = {
  readonly argv: readonly [string, ...string[]];
  /** Added to the container's environment. It is visible inside: no secrets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the project's root. */
  readonly cwd?: string;
  /** Numbers of user and group; default: the container's. */
  readonly user?: string;
  readonly signal?: AbortSignal;
};

/**
 * How a process ended. The code is null if it is not known: this host killed the process, the engine
 * is gone, or the process closed its output and runs on.
 */
type ProcessExit = { readonly exitCode: number | null };

/** A running process. Both outputs must be read or resumed, because they share one connection. */
export type SandboxProcess = {
  /** Ending it closes the process's stdin; its output can still be read. */
  readonly stdin: Writable;
  /** SECURITY: any program inside can write to this, by way of /proc/<pid>/fd/1. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once after both outputs have ended; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /**
   * Ends the process's stdin and the connection. The engine's API cannot kill a single process: one
   * that ignores the end of its stdin lives until the container ends.
   */
  readonly kill: () => void;
};

/**
 * Starts a program in a running container, as the container's user, without a terminal.
 *
 * Errors: `exec_failed`. Rejects with `signal.reason`.
 */
export async function startProcess(
  container: Docker.Container,
  options: ExecOptions & { readonly cwd: string },
): Promise<Result<SandboxProcess, SandboxError>> {
  const { signal } = options;
  signal?.throwIfAborted();
  try {
    const exec = await container.exec({
      Cmd: [...options.argv],
      Env: Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value}`),
      WorkingDir: options.cwd,
      ...(options.user === undefined ? {} : { User: options.user }),
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      ...(signal === undefined ? {} : { abortSignal: signal }),
    });
    // Hijacked for the bare socket: only that can be closed in one direction.
    const socket = (await exec.start({ hijack: true, stdin: true, Tty: false })) as Socket;
    if (signal?.aborted === true) {
      socket.destroy();
      throw signal.reason;
    }
    return ok(attach(exec, socket));
  } catch (cause) {
    signal?.throwIfAborted();
    return err(execFailed(options.argv[0], cause));
  }
}

function attach(exec: Docker.Exec, socket: Socket): SandboxProcess {
  let killed = false;
  socket.on("error", () => {});
  const { stdout, stderr, ended } = demux(socket);
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk, done);
    },
    final: (done) => {
      if (socket.destroyed) done();
      else socket.end(done);
    },
  });
  // Input that is written after the process has ended is lost, as with a pipe; it is not an error.
  stdin.on("error", () => {});
  socket.once("close", () => stdin.destroy());
  const exited = ended.then(async (end): Promise<ProcessExit> => {
    socket.destroy();
    return { exitCode: killed || end.error !== undefined ? null : await exitCode(exec) };
  });
  const kill = () => {
    killed = true;
    stdin.destroy();
    socket.end();
    socket.destroy();
  };
  return { stdin, stdout, stderr, exited, kill };
}

/** The engine may note the exit a moment after it has closed the output. */
async function exitCode(exec: Docker.Exec): Promise<number | null> {
  for (let i = 0; i < EXIT_CODE_TRIES; i++) {
    try {
      const { Running, ExitCode } = await exec.inspect();
      if (!Running) return ExitCode ?? null;
    } catch {
      return null;
    }
    await new Promise((resolve) => setTimeout(resolve, EXIT_CODE_PAUSE_MS));
  }
  return null;
}

function execFailed(program: string, cause: unknown): SandboxError {
  const { status, text } = engineFault(cause);
  const gone = status === 404 || status === 409;
  return {
    kind: "exec_failed",
    message: gone
      ? `${program} could not be started: the sandbox has stopped (${text}).`
      : `${program} could not be started in the sandbox: ${text}`,
    fix: "Send again: that restarts the sandbox.",
    cause,
  };
}
