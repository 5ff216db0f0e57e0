import { PassThrough, type Readable, type Writable } from "node:stream";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import type { EditorError, EditorRequest } from "./error.ts";
import {
  type CallArgs,
  type CallName,
  type CallResult,
  calls,
  type NotificationName,
  type NotificationParams,
  notifications,
} from "./methods.ts";
import { quietClient } from "./quiet-client.ts";
import { Buffers, type BufferWatch, type WatchHandlers } from "./watch.ts";

/** One function for each name in the table of calls. */
type EditorCalls = {
  readonly [N in CallName]: (...args: CallArgs<N>) => Promise<Result<CallResult<N>, EditorError>>;
};

/** A Neovim at the other end of two streams. */
export type Editor = {
  readonly call: EditorCalls;
  /** Has `handler` take the notifications of this name; one that does not fit is logged and dropped. */
  onNotify<N extends NotificationName>(
    name: N,
    handler: (params: NotificationParams<N>) => void,
  ): void;
  /** Follows a buffer's text; see `WatchHandlers`. */
  watchBuffer(buf: number, handlers: WatchHandlers): Promise<Result<BufferWatch, EditorError>>;
  /** Settles when the connection has ended; never rejects. */
  readonly closed: Promise<void>;
  /** Ends the connection; every call that waits gets a `closed` error. Idempotent. */
  close(): void;
};

/** Constant: arguments travel beside it, never inside. */
const CALL = "return require('codex-chat.rpc').call(...)";

/** Speaks msgpack-RPC with the Neovim that owns these streams. */
export function connectEditor(options: {
  readonly readable: Readable;
  readonly writable: Writable;
  readonly log: Log;
}): Editor {
  const { readable, writable, log } = options;
  const client = quietClient(log);
  const handlers = new Map<string, (params: never) => void>();
  let end: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    end = resolve;
  });
  const gone: Result<never, EditorError> = err({
    kind: "closed",
    message: "Neovim has closed the connection",
  });
  /** What waits for an answer. Not a race with `closed`: that would keep every answer until then. */
  const waiting = new Set<(answer: Result<never, EditorError>) => void>();
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    for (const settle of waiting) settle(gone);
    waiting.clear();
    end();
    writable.end();
  };
  for (const event of ["end", "close", "error"] as const) readable.once(event, close);
  // Writing to a pipe that Neovim has closed is not a bug.
  writable.on("error", close);

  // The package reads in a loop that nobody awaits, so that a stream which ends with an error would be
  // an unhandled rejection. It gets a stream that always ends cleanly.
  const reader = new PassThrough();
  readable.pipe(reader);
  void closed.then(() => reader.end());
  client.attach({ reader, writer: writable });
  client.on("notification", (name: string, args: unknown) => {
    receive(name, Array.isArray(args) ? args[0] : undefined, handlers, log);
  });

  const request = async (
    method: string,
    args: unknown[],
  ): Promise<Result<unknown, EditorError>> => {
    if (isClosed) return gone;
    return new Promise((resolve) => {
      const settle = (answer: Result<unknown, EditorError>): void => {
        waiting.delete(settle);
        resolve(answer);
      };
      waiting.add(settle);
      client.request(method, args).then(
        (value: unknown) => settle(ok(value)),
        (cause: unknown) => settle(err(failureOf(cause))),
      );
    });
  };

  const buffers = new Buffers(client, request);
  return {
    call: bindCalls(request),
    onNotify: (name, handler) => {
      handlers.set(name, handler as (params: never) => void);
    },
    watchBuffer: (buf, watchHandlers) => buffers.watch(buf, watchHandlers),
    closed,
    close,
  };
}

function failureOf(cause: unknown): EditorError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return { kind: "failed", message, cause };
}

function bindCalls(request: EditorRequest): EditorCalls {
  const bound = (Object.keys(calls) as CallName[]).map((name) => [
    name,
    async (...args: unknown[]): Promise<Result<unknown, EditorError>> => {
      const answer = await request("nvim_exec_lua", [CALL, [name, args]]);
      if (!answer.ok) return answer;
      const parsed = calls[name].result.safeParse(answer.value ?? null);
      if (parsed.success) return ok(parsed.data);
      return err({ kind: "garbled", message: `Lua's answer to ${name} has another shape` });
    },
  ]);
  // It has the keys of the table that the type is made from.
  return Object.fromEntries(bound) as EditorCalls;
}

function receive(
  name: string,
  params: unknown,
  handlers: ReadonlyMap<string, (params: never) => void>,
  log: Log,
): void {
  if (!Object.hasOwn(notifications, name)) {
    log.warn({ name }, "this host does not know a notification of Lua's");
    return;
  }
  const parsed = notifications[name as NotificationName].safeParse(params);
  if (!parsed.success) {
    log.warn({ name, issues: parsed.error.issues }, "a notification of Lua's has another shape");
    return;
  }
  try {
    handlers.get(name)?.(parsed.data as never);
  } catch (thrown) {
    log.error({ err: thrown, name }, "a notification's handler failed");
  }
}
