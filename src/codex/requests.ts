import { err, type Result } from "../result.ts";
import { type CodexError, refusal } from "./error.ts";

/** How a request may end early. */
export type RequestOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Counts from the call, waiting for other requests included. */
  readonly timeoutMs?: number | undefined;
};

/** An answer as it stands in a message: a result of any kind, or an error. */
export type Response = Result<unknown, { readonly code: number; readonly message: string }>;

type Pending = {
  readonly method: string;
  readonly params: object;
  readonly settle: (answer: Result<unknown, CodexError>) => void;
};

/**
 * Our requests that wait for an answer. A bounded number is in flight, the others wait in order; each
 * is settled exactly once: by its answer, its signal, its time-out, or the connection's end.
 */
export class Requests {
  readonly #send: (message: object) => void;
  readonly #maxInFlight: number;
  readonly #inFlight = new Map<number, Pending>();
  readonly #queue = new Set<Pending>();
  #nextId = 0;
  #isClosed = false;

  constructor(send: (message: object) => void, maxInFlight: number) {
    this.#send = send;
    this.#maxInFlight = maxInFlight;
  }

  /** Errors: `refused` and what `refusal` makes of it, `timeout`, `aborted`, `closed`. */
  ask(
    method: string,
    params: object,
    { signal, timeoutMs }: RequestOptions & { readonly timeoutMs: number },
  ): Promise<Result<unknown, CodexError>> {
    if (signal?.aborted) return Promise.resolve(err(aborted(method)));
    if (this.#isClosed) return Promise.resolve(err(CLOSED));
    return new Promise((resolve) => {
      const pending: Pending = {
        method,
        params,
        settle: (answer) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          this.#forget(pending);
          resolve(answer);
        },
      };
      const onAbort = () => pending.settle(err(aborted(method)));
      const timer = setTimeout(() => pending.settle(err(timedOut(method, timeoutMs))), timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.add(pending);
      this.#sendNext();
    });
  }

  /** Returns false if no request waits for it: it is forged, a duplicate, or came too late. */
  answered(id: unknown, answer: Response): boolean {
    const pending = typeof id === "number" ? this.#inFlight.get(id) : undefined;
    if (pending === undefined) return false;
    pending.settle(
      answer.ok ? answer : err(refusal(pending.method, answer.error.code, answer.error.message)),
    );
    return true;
  }

  /** Settles all waiting and all later requests with `closed`. */
  close(): void {
    this.#isClosed = true;
    for (const pending of [...this.#inFlight.values(), ...this.#queue]) pending.settle(err(CLOSED));
  }

  #forget(pending: Pending): void {
    this.#queue.delete(pending);
    for (const [id, other] of this.#inFlight) if (other === pending) this.#inFlight.delete(id);
    this.#sendNext();
  }

  #sendNext(): void {
    if (this.#isClosed) return;
    for (const pending of this.#queue) {
      if (this.#inFlight.size >= this.#maxInFlight) return;
      this.#queue.delete(pending);
      const id = this.#nextId++;
      this.#inFlight.set(id, pending);
      this.#send({ id, method: pending.method, params: pending.params });
    }
  }
}

const CLOSED: CodexError = { kind: "closed", message: "The connection to Codex has ended." };

function aborted(method: string): CodexError {
  return { kind: "aborted", message: `${method} was stopped.` };
}

function timedOut(method: string, timeoutMs: number): CodexError {
  return {
    kind: "timeout",
    message: `Codex did not answer ${method} within ${timeoutMs / 1000} s.`,
  };
}
