/** Bare Codex on this machine, without sandbox, host or editor: what no plugin around it can beat. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { appServerArgs } from "../../src/codex/arguments.ts";
import { findCodexPackage } from "../../src/sandbox/image/codex-package.ts";
import { MODEL_NAME } from "../../test/e2e/place.ts";
import { atEnd } from "../parts/cleanup.ts";
import { reapedMs } from "../parts/processes.ts";

/** The message that opens the protocol, and the notification that follows its answer. */
export const INITIALIZE = {
  id: 1,
  method: "initialize",
  params: { clientInfo: { name: "codex-chat.nvim", title: "", version: "0" } },
};

/** The arguments that the plugin gives its app-server. */
export function codexArgs(modelUrl: string): string[] {
  const common = { model: MODEL_NAME, loginShells: false, streamIdleMs: 60_000 };
  return appServerArgs({ ...common, modelBaseUrl: modelUrl });
}

/** The time that `codex exec` takes for one query, its start and its end included. */
export async function codexExecMs(modelUrl: string): Promise<number> {
  const before = reapedMs();
  const args = [...codexArgs(modelUrl).slice(0, -1), "exec", "--skip-git-repo-check", "Stream."];
  const codex = await startCodex(args);
  try {
    codex.child.stdin.end();
    codex.child.stdout.resume();
    const [code] = (await once(codex.child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`codex exec ended with ${code}: ${codex.complaints()}`);
    return reapedMs() - before;
  } finally {
    await codex.close();
  }
}

/** The app-server, spoken to in bare JSON lines. */
export class BareAppServer implements AsyncDisposable {
  readonly #codex: BareCodex;
  readonly #waiting = new Set<Waiting>();
  #threadId = "";
  #lastId = INITIALIZE.id;

  private constructor(codex: BareCodex) {
    this.#codex = codex;
    createInterface({ input: codex.child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as Message;
      for (const each of this.#waiting) each.look(message);
    });
    codex.child.once("exit", () => {
      for (const each of this.#waiting) each.fail(new Error(codex.complaints()));
    });
  }

  /** Starts one with a thread. */
  static async start(modelUrl: string): Promise<BareAppServer> {
    const server = new BareAppServer(await startCodex(codexArgs(modelUrl)));
    const ready = server.#next((message) => message.id === INITIALIZE.id);
    server.#write(INITIALIZE);
    await ready;
    server.#write({ method: "initialized" });
    const params = { sandbox: "danger-full-access", approvalPolicy: "never" };
    const { result } = await server.#request("thread/start", params);
    server.#threadId = (result as { thread: { id: string } }).thread.id;
    return server;
  }

  /** Runs a turn; returns how long its first words took. */
  async turn(text: string): Promise<number> {
    const ended = this.#next((message) => message.method === "turn/completed");
    const told = this.#next((message) => message.method === "item/agentMessage/delta");
    const began = performance.now();
    const input = [{ type: "text", text, text_elements: [] }];
    void this.#request("turn/start", { threadId: this.#threadId, input });
    await told;
    const ms = performance.now() - began;
    await ended;
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#codex.close();
  }

  #request(method: string, params: object): Promise<Message> {
    const id = ++this.#lastId;
    const answer = this.#next((message) => message.id === id);
    this.#write({ id, method, params });
    return answer;
  }

  #write(message: object): void {
    this.#codex.child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #next(isIt: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const look = (message: Message) => {
        if (message.error !== undefined) reject(new Error(JSON.stringify(message.error)));
        else if (!isIt(message)) return;
        this.#waiting.delete(waiting);
        resolve(message);
      };
      const waiting = { look, fail: reject };
      this.#waiting.add(waiting);
    });
  }
}

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: unknown;
};

type Waiting = {
  readonly look: (message: Message) => void;
  readonly fail: (error: Error) => void;
};

type BareCodex = {
  readonly child: ChildProcessWithoutNullStreams;
  readonly complaints: () => string;
  readonly close: () => Promise<void>;
};

/** Starts the program that is in the image, without the npm package's start script. */
async function startCodex(args: readonly string[]): Promise<BareCodex> {
  const found = await findCodexPackage(import.meta.url);
  if (!found.ok) throw new Error(found.error.message);
  const home = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-bench-")));
  const project = join(home, "project");
  await mkdir(project);
  // Nothing from this machine's user: no key, no configuration.
  const env = { PATH: process.env["PATH"], HOME: home, CODEX_HOME: home };
  const child = spawn(found.value.program, args, { cwd: project, env });
  child.stdin.on("error", () => {});
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk).slice(-2000);
  });
  const close = atEnd(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    await rm(home, { recursive: true, force: true, maxRetries: 10 });
  });
  return { child, complaints: () => said, close };
}
