import {
  type ModelScript,
  type ModelServer,
  type RecordedRequest,
  startModelServer,
} from "../../src/offline/model-server.ts";
import { message, type Part, type Reply, reply } from "../../src/offline/reply.ts";
import { ModelRequest } from "../../src/offline/request.ts";

/** A scripted model whose script changes from test to test. */
export class ScriptedModel implements AsyncDisposable {
  readonly #server: ModelServer;
  #script: ModelScript;
  #from = 0;

  private constructor(server: ModelServer, initial: ModelScript) {
    this.#server = server;
    this.#script = initial;
  }

  /** Starts one, by default on any port. */
  static async start(
    script: ModelScript = () => reply(message("Done.")),
    options: { readonly port?: number; readonly isRecording?: boolean } = {},
  ): Promise<ScriptedModel> {
    let model: ScriptedModel | undefined;
    const server = await startModelServer({
      ...options,
      script: (request, n) =>
        model === undefined ? script(request, n) : model.#script(request, n - model.#from),
    });
    model = new ScriptedModel(server, script);
    return model;
  }

  get url(): string {
    return this.#server.url;
  }

  /** Requests since the last `answer`, as they arrived. */
  get recorded(): readonly RecordedRequest[] {
    return this.#server.requests.slice(this.#from);
  }

  /** Requests since the last `answer`. */
  get requests(): readonly ModelRequest[] {
    return this.recorded
      .filter((request) => request.method === "POST")
      .map((request) => new ModelRequest(request.body));
  }

  /** Answers from now on by this script, whose requests count from 0. */
  answer(script: ModelScript): void {
    this.#from = this.#server.requests.length;
    this.#script = script;
  }

  /** Answers one request after the other, and all further ones with the last. */
  answerInTurn(...replies: readonly Reply[]): void {
    this.answer((_request, n) => replies[Math.min(n, replies.length - 1)] ?? reply());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

/** A door that a script waits at until the test opens it. */
export class Gate {
  readonly passed: Promise<void>;
  #open: () => void = () => {};

  constructor() {
    this.passed = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
  }
}

/** Sends nothing until the gate is open, or the client goes away. */
export function until(gate: Gate): Part {
  return async function* ({ signal }) {
    const gone = new Promise((resolve) =>
      signal.addEventListener("abort", resolve, { once: true }),
    );
    await Promise.race([gate.passed, gone]);
    yield* [];
  };
}
