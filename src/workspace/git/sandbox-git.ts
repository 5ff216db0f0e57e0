import type { Readable, Writable } from "node:stream";
import { err, ok, type Result } from "../../result.ts";
import type { RefChange } from "./ref-sync.ts";

/** A program that runs in the sandbox. */
export type SandboxGitProcess = {
  readonly stdin: Writable;
  /** SECURITY: whatever any program inside chose to write. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<{ readonly exitCode: number | null }>;
  readonly kill: () => void;
};

/** Starts a program in the sandbox. */
export type StartInside = (options: {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
}) => Promise<Result<SandboxGitProcess, { readonly message: string }>>;

/** A program inside that hangs is ended there, too: the engine cannot end one. */
const TIMEOUT_S = 60;
const MAX_STDERR = 2000;

/**
 * The private git directory, from within: all writing in it is done by programs in the sandbox,
 * which can harm nothing but the sandbox. So a link that the agent has put there leads the host
 * nowhere.
 */
export class SandboxGit {
  readonly #start: StartInside;
  readonly #gitDir: string;

  constructor(start: StartInside, gitDir: string) {
    this.#start = start;
    this.#gitDir = gitDir;
  }

  /**
   * Writes files, each whole or not at all; undefined removes one. Paths are below the
   * directory; one that ends in a slash is a directory to be there.
   */
  async put(
    files: ReadonlyMap<string, Uint8Array | string | undefined>,
  ): Promise<Result<void, string>> {
    const lines = [...files].map(([name, content]) =>
      JSON.stringify([
        `${this.#gitDir}/${name}`,
        content === undefined ? null : Buffer.from(content).toString("base64"),
      ]),
    );
    const done = await this.#run(
      ["timeout", "-k", "5", `${TIMEOUT_S}`, "node", "-e", PUT],
      lines.join("\n"),
    );
    return done.ok ? ok() : done;
  }

  /** Writes the configuration in the home, where there is none yet. */
  async putHomeConfig(text: string): Promise<Result<void, string>> {
    const script = '[ -e "$HOME/.gitconfig" ] || cat > "$HOME/.gitconfig"';
    return this.#run(["timeout", "-k", "5", `${TIMEOUT_S}`, "sh", "-c", script], text);
  }

  /** Changes refs, all or none; each only where it is still what it was. */
  async changeRefs(changes: readonly RefChange[]): Promise<Result<void, string>> {
    // A branch may go and another take its place as a directory: not in one transaction.
    for (const part of [
      changes.filter((it) => it.to === undefined),
      changes.filter((it) => it.to !== undefined),
    ]) {
      if (part.length === 0) continue;
      const done = await this.#run(
        this.#git("update-ref", "--no-deref", "-z", "--stdin"),
        part.map(command).join(""),
      );
      if (!done.ok) return done;
    }
    return ok();
  }

  /**
   * Packs what `tips` have and `known` have not, as a stream. It is as hostile as everything from
   * inside.
   */
  async pack(
    tips: readonly string[],
    known: readonly string[],
  ): Promise<Result<SandboxGitProcess, string>> {
    const started = await this.#start({
      argv: this.#git(
        ...["-c", "pack.threads=1", "pack-objects", "--revs", "--stdout", "--thin"],
        ...["--delta-base-offset", "-q"],
      ),
      cwd: "/",
    });
    if (!started.ok) return err(started.error.message);
    const { stdin } = started.value;
    stdin.on("error", () => {});
    stdin.end(`${[...tips, ...known.map((it) => `^${it}`)].join("\n")}\n`);
    return ok(started.value);
  }

  #git(...args: readonly string[]): [string, ...string[]] {
    // The agent's hooks do no harm here, but they would be in the way.
    const fixed = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
    return [
      "timeout",
      "-k",
      "5",
      `${TIMEOUT_S}`,
      "git",
      `--git-dir=${this.#gitDir}`,
      ...fixed,
      ...args,
    ];
  }

  async #run(argv: [string, ...string[]], input: string): Promise<Result<void, string>> {
    const started = await this.#start({ argv, cwd: "/" });
    if (!started.ok) return err(started.error.message);
    const { stdin, stdout, exited, kill } = started.value;
    const said = tailOf(started.value.stderr);
    stdout.resume();
    stdin.on("error", () => {});
    stdin.end(input);
    const timer = setTimeout(kill, TIMEOUT_S * 1000);
    const { exitCode } = await exited.finally(() => clearTimeout(timer));
    if (exitCode === 0) return ok();
    return err(`${argv[4]} in the sandbox ended with ${exitCode ?? "no exit code"}: ${said()}`);
  }
}

/** Keeps the last that is said on a stream; SECURITY: the stream is the sandbox's. */
export function tailOf(stream: Readable): () => string {
  let tail = "";
  stream.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("utf8")).slice(-MAX_STDERR);
  });
  stream.on("error", () => {});
  return () => tail.trim();
}

function command({ name, from, to }: RefChange): string {
  if (to === undefined) return `delete ${name}\0${from ?? ""}\0`;
  return from === undefined ? `create ${name}\0${to}\0` : `update ${name}\0${to}\0${from}\0`;
}

/** Writes what comes on stdin: a line of JSON a file, with its path and its content in base64. */
const PUT = `
const fs = require("node:fs"), path = require("node:path");
for (const line of fs.readFileSync(0, "utf8").split("\\n")) {
  if (line === "") continue;
  const [name, content] = JSON.parse(line);
  if (name.endsWith("/")) { fs.mkdirSync(name, { recursive: true }); continue; }
  if (content === null) { fs.rmSync(name, { force: true }); continue; }
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name + ".codex-chat", Buffer.from(content, "base64"));
  fs.renameSync(name + ".codex-chat", name);
}`;
