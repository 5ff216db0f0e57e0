import { spawn } from "node:child_process";
import { childEnv, findProgram } from "../../programs.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";

/** How long a password manager may take; it may be waiting for a touch or a passphrase. */
const TIMEOUT_MS = 60_000;
/** More than any key, and more of an error message than anyone reads. */
const MAX_BYTES = 64 * 1024;
/**
 * The shortest time between two runs of a command. SECURITY: a 401 triggers a run, and programs
 * inside can cause calls at any rate.
 */
const MIN_INTERVAL_MS = 60_000;

/** Options of a key command. */
export type KeyCommandOptions = {
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  /** The command's setting and purpose, for errors; by default, the model's key. */
  readonly for?: { readonly setting: string; readonly thing: string };
};

const FOR_KEY = { setting: "api_key_cmd", thing: "the API key" } as const;

/**
 * The keys that commands have printed, kept in memory while the host lives, so that a password
 * manager asks its user only once.
 */
export class KeyRing {
  readonly #known = new Map<string, { readonly key: string; readonly atMs: number }>();
  readonly #running = new Map<string, Promise<Result<string, Failure>>>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The key of a command; simultaneous calls share one run. */
  async get(
    command: readonly string[],
    options: KeyCommandOptions,
  ): Promise<Result<string, Failure>> {
    const name = JSON.stringify(command);
    const known = this.#known.get(name);
    if (known !== undefined) return ok(known.key);
    const running = this.#running.get(name) ?? this.#run(name, command, options);
    this.#running.set(name, running);
    return running;
  }

  /** Called when a key was refused: runs the command again; true if it prints another key now. */
  async renew(command: readonly string[], options: KeyCommandOptions): Promise<boolean> {
    const name = JSON.stringify(command);
    const old = this.#known.get(name);
    if (old !== undefined && this.#now() - old.atMs < MIN_INTERVAL_MS) return false;
    this.#known.delete(name);
    const found = await this.get(command, options);
    // Keeps the old key, so that a command that fails is not run at every call.
    if (!found.ok && old !== undefined) this.#known.set(name, { ...old, atMs: this.#now() });
    return found.ok && found.value !== old?.key;
  }

  async #run(
    name: string,
    command: readonly string[],
    options: KeyCommandOptions,
  ): Promise<Result<string, Failure>> {
    try {
      const found = await runKeyCommand(command, options);
      if (found.ok) this.#known.set(name, { key: found.value, atMs: this.#now() });
      return found;
    } finally {
      this.#running.delete(name);
    }
  }
}

/**
 * Runs a command and returns the first line of its output.
 *
 * SECURITY: the output is the key. A failure quotes only stderr, without any word of the output and
 * without anything that looks like a key.
 */
export async function runKeyCommand(
  command: readonly string[],
  options: KeyCommandOptions,
): Promise<Result<string, Failure>> {
  const run = await execute(command, options);
  const [line = ""] = run.stdout.split(/\r?\n/);
  const how = run.problem ?? (line.trim() === "" ? "its first line is empty" : undefined);
  if (how === undefined) return ok(line.trim());
  const details = printableError(run.stderr, run.stdout);
  const { setting, thing } = options.for ?? FOR_KEY;
  return err({
    kind: "key_command",
    message: `The command for ${thing} (${setting}, ${command[0]}) failed: ${how}${details === "" ? "" : `: ${details}`}.`,
    fix: /pinentry|ioctl|tty|terminal/i.test(run.stderr)
      ? "It has no terminal to ask for a passphrase. Use a graphical pinentry, or unlock the key in a terminal first: gpg-agent remembers it."
      : `Run it in a terminal to see why; its first line must be ${options.for?.thing ?? "the key"} and nothing else.`,
  });
}

type Run = {
  readonly stdout: string;
  readonly stderr: string;
  readonly problem: string | undefined;
};

function execute(
  [program = "", ...args]: readonly string[],
  { env, signal, timeoutMs = TIMEOUT_MS }: KeyCommandOptions,
): Promise<Run> {
  const found = findProgram(program, env);
  if (!found.ok) return Promise.resolve({ stdout: "", stderr: "", problem: found.error });
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    let problem: string | undefined;
    // Its own process group, so that its children end with it; and no access to Neovim's terminal,
    // since a prompt there would be drawn over the editor.
    const child = spawn(found.value, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...childEnv(env), GPG_TTY: undefined },
    });
    const stop = (why: string) => {
      problem ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has already ended.
      }
    };
    const timer = setTimeout(() => stop(`it took longer than ${timeoutMs / 1000} s`), timeoutMs);
    const cancel = () => stop("it was stopped");
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted === true) cancel();
    collect(child.stdout, out, () => stop("it printed too much"));
    collect(child.stderr, errors, () => {});
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
      resolve({ stdout: text(out), stderr: text(errors), problem });
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      problem ??=
        error.code === "ENOENT" ? "there is no such program" : `it cannot be run (${error.code})`;
      finish();
    });
    child.on("close", (code, killedBy) => {
      if (code !== 0)
        problem ??= code === null ? `it was ended by ${killedBy}` : `it ended with ${code}`;
      finish();
    });
  });
}

function collect(stream: NodeJS.ReadableStream, into: Buffer[], onTooMuch: () => void): void {
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BYTES) into.push(chunk);
    else onTooMuch();
  });
}

function printableError(stderr: string, printed: string): string {
  let text = stderr;
  for (const word of printed.split(/\s+/))
    if (word.length >= 4) text = text.replaceAll(word, "[…]");
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/\bsk-\S+/g, "[…]")
    .replace(/[\w+/=-]{20,}/g, (word) => (/\d/.test(word) && !word.startsWith("/") ? "[…]" : word))
    .trim()
    .slice(0, 300);
}
