import type { IncomingMessage } from "node:http";
import { err, ok, type Result } from "../../result.ts";
import { tooLarge } from "./http-refusal.ts";

/** Why a body was refused: the response's status and message. */
export type BodyRefusal = { readonly status: number; readonly message: string };

/** The limits on reading a body. */
export type BodyOptions = {
  readonly maxBytes: number;
  /** How long the sandbox may send nothing. */
  readonly idleMs: number;
  /** Called for each chunk; an error ends the reading. */
  readonly onBytes: (bytes: number) => Result<undefined, string>;
  /** Aborted when the call ends for another reason; the promise then never settles. */
  readonly signal: AbortSignal;
};

/**
 * Reads a request's body to its end: a call is checked as a whole before any of it goes out.
 */
export function readBody(
  request: IncomingMessage,
  options: BodyOptions,
): Promise<Result<Buffer, BodyRefusal>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = () => {
      clearTimeout(timer);
      request.off("data", take).off("end", finish);
      options.signal.removeEventListener("abort", stop);
    };
    const refuse = (status: number, message: string) => {
      stop();
      resolve(err({ status, message }));
    };
    const stalled = `codex-chat: the request sent nothing for ${options.idleMs / 1000} s.`;
    const timer = setTimeout(() => refuse(408, stalled), options.idleMs);
    const take = (chunk: Buffer) => {
      timer.refresh();
      size += chunk.length;
      if (size > options.maxBytes) return refuse(413, tooLarge(options.maxBytes));
      const spent = options.onBytes(chunk.length);
      if (!spent.ok) return refuse(403, spent.error);
      chunks.push(chunk);
    };
    const finish = () => {
      stop();
      resolve(ok(Buffer.concat(chunks)));
    };
    options.signal.addEventListener("abort", stop, { once: true });
    if (options.signal.aborted) return stop();
    request.on("data", take).on("end", finish);
  });
}
