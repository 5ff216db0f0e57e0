import type { Readable, Writable } from "node:stream";
import { err, ok, type Result } from "../../result.ts";
import { type TarEntry, tarStream } from "../../tar.ts";
import type { RefChange } from "./ref-sync.ts";

/** A program that runs in the sandbox. */
export type SandboxGitProcess = {
  readonly stdin: Writable;
  /** SECURITY: any program inside can write to this. */
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

/** A program that hangs is also ended inside, by timeout(1): the engine cannot end one. */
const TIMEOUT_S = 60;
const MAX_STDERR = 2000;
/** The longest name in an archive, in bytes. */
const MAX_TAR_NAME = 100;

/**
 * Writes to the private git directory by programs in the sandbox, which can harm only the sandbox: a
 * link that the agent has put there does not lead the host anywhere.
 */
export class SandboxGit {
  readonly #start: StartInside;
  readonly #gitDir: string;

  constructor(start: StartInside, gitDir: string) {
    this.#start = start;
    this.#gitDir = gitDir;
  }

  /**
   * Writes the first files of a directory in which no git works yet; paths as in `put`. tar(1) takes a
   * tenth of the time of Node under gVisor. Where it is missing or knows other options, Node does it.
   */
  async fill(files: ReadonlyMap<string, Uint8Array | string>): Promise<Result<void, string>> {
    const entries = [...files].map(
      ([name, content]): TarEntry =>
        name.endsWith("/") ? { name, directory: true, uid: 0, gid: 0 } : { name, content },
    );
    if (entries.some(({ name }) => Buffer.byteLength(name) > MAX_TAR_NAME)) return this.put(files);
    const options = ["-x", "-m", "--no-same-owner", "--no-same-permissions", "-f", "-"];
    const done = await this.#run(
      ["timeout", "-k", "5", `${TIMEOUT_S}`, "tar", ...options, "-C", this.#gitDir],
      tarStream(entries),
    );
    return done.ok ? done : this.put(files);
  }

  /**
   * Writes files atomically; undefined removes a file. Paths are relative to the git directory; a
   * path that ends in a slash is a directory to create.
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

  /** Writes the configuration in the home directory, unless there is one. */
  async putHomeConfig(text: string): Promise<Result<void, string>> {
    const script = '[ -e "$HOME/.gitconfig" ] || cat > "$HOME/.gitconfig"';
    return this.#run(["timeout", "-k", "5", `${TIMEOUT_S}`, "sh", "-c", script], text);
  }

  /** Changes refs, all or none; each only if it still has its expected value. */
  async changeRefs(changes: readonly RefChange[]): Promise<Result<void, string>> {
    // Removals first: git cannot replace branch `a` by branch `a/b` in one transaction.
    for (const part of [
      changes.filter((change) => change.to === undefined),
      changes.filter((change) => change.to !== undefined),
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

  /** Packs the commits of `tips` that are not in `known`. SECURITY: the stream is hostile. */
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
    stdin.end(`${[...tips, ...known.map((commit) => `^${commit}`)].join("\n")}\n`);
    return ok(started.value);
  }

  #git(...args: readonly string[]): [string, ...string[]] {
    // The agent's hooks do no harm inside, but would interfere.
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

  async #run(argv: [string, ...string[]], input: string | Readable): Promise<Result<void, string>> {
    const started = await this.#start({ argv, cwd: "/" });
    if (!started.ok) return err(started.error.message);
    const { stdin, stdout, exited, kill } = started.value;
    const said = tailOf(started.value.stderr);
    stdout.resume();
    stdin.on("error", () => {});
    if (typeof input === "string") stdin.end(input);
    else input.pipe(stdin);
    const timer = setTimeout(kill, TIMEOUT_S * 1000);
    const { exitCode } = await exited.finally(() => clearTimeout(timer));
    if (exitCode === 0) return ok();
    return err(`${argv[4]} in the sandbox ended with ${exitCode ?? "no exit code"}: ${said()}`);
  }
}

/** Keeps the end of a stream's text. SECURITY: the stream is from the sandbox. */
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

/** Writes files from stdin: for each a line of JSON with its path and its content in base64. */
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
