/** The test as the app-server: it reads what the client writes, and can answer anything. */

import { PassThrough } from "node:stream";
import { type CodexClientOptions, openCodexClient } from "../../src/codex/client.ts";
import type { ServerNotification } from "../../src/codex/messages/notification.ts";
import type { Answer, Approval } from "../../src/codex/server-requests/server-request.ts";
import type { Log } from "../../src/log.ts";

type Wire = { readonly id?: number | string; readonly [name: string]: unknown };

/** Opens a client of `src/codex` whose app-server is the test. */
export function openClient(options: Partial<CodexClientOptions> = {}) {
  const fromCodex = new PassThrough();
  const toCodex = new PassThrough();
  const told: ServerNotification[] = [];
  const asked: Approval[] = [];
  const logged: string[] = [];
  const log: Log = {
    debug: (_, message) => logged.push(`debug: ${message}`),
    info: (_, message) => logged.push(`info: ${message}`),
    warn: (_, message) => logged.push(`warn: ${message}`),
    error: (_, message) => logged.push(`error: ${message}`),
  };
  const client = openCodexClient({
    readable: fromCodex,
    writable: toCodex,
    onNotification: (notification) => told.push(notification),
    onApproval: async (_, approval): Promise<Answer> => {
      asked.push(approval);
      return { decision: "accept" };
    },
    log,
    ...options,
  });
  return {
    client,
    fromCodex,
    toCodex,
    told,
    asked,
    logged,
    /** Sends messages as Codex, one per line. */
    say: (...messages: readonly object[]) =>
      fromCodex.write(messages.map((message) => `${JSON.stringify(message)}\n`).join("")),
    /** The messages that Codex has received since the last call. */
    heard: (): Wire[] =>
      String(toCodex.read() ?? "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Wire),
  };
}

/** Lets everything run that is ready to. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** An answer to `model/list`. */
export const model = (name: string) => ({ data: [{ model: name }] });
