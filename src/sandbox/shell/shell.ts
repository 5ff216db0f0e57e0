import type { Socket } from "node:net";
import type { ReadStream, WriteStream } from "node:tty";
import type Docker from "dockerode";
import * as z from "zod";
import { engineClient, withUmask } from "../engine/index.ts";
import { engineFault } from "../error.ts";
import { terminalFilter } from "./terminal-filter.ts";

/** How a shell is opened. The options are visible on a command line: no secrets. */
export const ShellOptions = z.strictObject({
  /** The engine's socket. */
  socket: z.string().startsWith("/"),
  /** The container's id. */
  container: z.string().regex(/^[0-9a-f]{12,64}$/),
  cwd: z.string().startsWith("/"),
  /** A program to run instead of a shell. */
  argv: z.array(z.string()).default([]),
});
export type ShellOptions = z.infer<typeof ShellOptions>;

/** The terminal that shows it. */
export type Terminal = { readonly input: ReadStream; readonly output: WriteStream };

/**
 * Writes its pid to a file, because the engine cannot end a process that an exec has started; then
 * becomes the shell, or the program.
 */
const BEGIN = `echo $$ > "$1"; shift
[ $# -gt 0 ] && exec "$@"
command -v bash >/dev/null && exec bash
exec sh`;
const END = `pid=$(cat "$1"); rm -f "$1"; kill -s HUP -- "-$pid"; kill -s HUP "$pid"`;

/** No detach keys: the engine's default would swallow Ctrl-P. */
const NO_DETACH_KEYS = "ctrl-@,ctrl-^,ctrl-@,ctrl-^";
/** How long ending the shell may take when the terminal is closed; Neovim waits 2 s. */
const END_MS = 1_500;

/**
 * Runs a shell in a container until it ends or the terminal is closed, and returns its exit code.
 * Its environment is the container's; of this machine's, only TERM goes in.
 *
 * SECURITY: any program inside can write this output; see `terminalFilter`.
 */
export async function runShell(options: ShellOptions, terminal: Terminal): Promise<number> {
  const { input, output } = terminal;
  const docker = engineClient(options.socket);
  const container = docker.getContainer(options.container);
  const pidFile = `/tmp/.shell-${process.pid}-${Date.now()}`;
  try {
    const exec = await container.exec({
      Cmd: [...withUmask(["sh", "-c", BEGIN, "sh", pidFile, ...options.argv])],
      Env: ["TERM=xterm-256color", "PS1=sandbox:\\w\\$ "],
      WorkingDir: options.cwd,
      ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true },
      DetachKeys: NO_DETACH_KEYS,
    });
    const socket = (await exec.start({ hijack: true, stdin: true, Tty: true })) as Socket;
    const resize = () =>
      void exec.resize({ w: output.columns, h: output.rows }).catch(() => undefined);
    resize();
    output.on("resize", resize);
    input.setRawMode(true);
    input.pipe(socket);
    const filter = terminalFilter();
    socket.on("data", (chunk: Buffer) => {
      if (output.write(filter(chunk))) return;
      socket.pause();
      output.once("drain", () => socket.resume());
    });
    const closed = await Promise.race([socketEnd(socket), terminalEnd(input)]);
    if (closed === "terminal") await endShell(container, pidFile);
    socket.destroy();
    // Node resets the terminal when it exits, and aborts if the terminal is gone.
    if (closed === "terminal") process.kill(process.pid, "SIGKILL");
    return (await exec.inspect()).ExitCode ?? 0;
  } catch (cause) {
    const { status, text } = engineFault(cause);
    const gone = status === 404 || status === 409;
    output.write(
      gone
        ? "The sandbox is no longer running. To open another shell: :CodexChat sandbox shell\r\n"
        : `No shell could be opened in the sandbox: ${text}\r\n`,
    );
    return 1;
  }
}

function socketEnd(socket: Socket): Promise<"shell"> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve("shell"));
  });
}

function terminalEnd(input: ReadStream): Promise<"terminal"> {
  return new Promise((resolve) => {
    const end = () => resolve("terminal");
    for (const signal of ["SIGHUP", "SIGTERM", "SIGINT"] as const) process.once(signal, end);
    input.once("error", end);
    input.once("end", end);
  });
}

/** Ends the shell, which would otherwise go on in the container without a terminal. */
async function endShell(container: Docker.Container, pidFile: string): Promise<void> {
  const end = async () => {
    const exec = await container.exec({ Cmd: ["sh", "-c", END, "sh", pidFile] });
    await exec.start({ Detach: true });
  };
  await Promise.race([
    end().catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, END_MS).unref()),
  ]);
}
