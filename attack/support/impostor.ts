/**
 * The app-server replaced by a program of the attacker's, in the product's sandbox, and who listens
 * to it on the host: the product's client, or one that trusts what it is told.
 */

import { createInterface } from "node:readline";
import { openCodexClient } from "../../src/codex/client.ts";
import type { Log } from "../../src/log.ts";
import type { SandboxProcess } from "../../src/sandbox/engine/process.ts";
import type { Inside } from "./containers.ts";
import { KEY } from "./victims.ts";

/** What came of listening to an impostor. */
export type Heard = {
  /** Lines that the impostor was answered. */
  readonly answers: string[];
  /** Questions that the user was asked and has not answered, by id. */
  readonly asked: string[];
  /** Questions that counted as accepted. */
  readonly accepted: string[];
  readonly notified: string[];
  /** Lines for the log on the user's disk. */
  readonly logged: number;
  /** The longest message that was taken, in characters. */
  readonly longest: number;
  /** What was thrown where nobody catches it: the host would be gone. */
  readonly crashed: string | undefined;
};

/** Listens to the process's output and answers it, until `over` settles. */
export type Listener = (process: SandboxProcess, over: Promise<unknown>) => Promise<Heard>;

/**
 * Runs the impostor: a Node program with `say(object)`, `raw(text)` and `line` events, and `done()`,
 * which must be called at its end.
 */
export async function impersonate(
  inside: Inside,
  listen: Listener,
  program: string,
): Promise<Heard> {
  const process = await inside.start({ argv: ["node", "-e", PRELUDE + program], cwd: "/" });
  let answers = "";
  const over = new Promise<void>((resolve) => {
    process.stderr.setEncoding("utf8").on("data", (text: string) => {
      answers += text;
      if (answers.includes("<over>")) resolve();
    });
    process.stderr.once("end", resolve);
    setTimeout(resolve, 60_000).unref();
  });
  const heard = await listen(process, over);
  process.kill();
  return {
    ...heard,
    answers: answers.split("\n").filter((line) => line !== "" && line !== "<over>"),
  };
}

/** What it hears goes to its standard error, which nobody takes for the protocol. */
const PRELUDE = `
const raw = (text) => new Promise((resolve) => process.stdout.write(text, resolve));
const say = (message) => raw(JSON.stringify(message) + "\\n");
require("readline").createInterface({ input: process.stdin }).on("line", (line) => process.stderr.write(line.slice(0, 2000) + "\\n"));
const done = () => setTimeout(() => process.stderr.write("\\n<over>\\n"), 700);
`;

/** The product's client, behind which nobody answers a question. */
export const productListens: Listener = async (process, over) => {
  const [asked, accepted, notified]: string[][] = [[], [], []];
  let [logged, longest] = [0, 0];
  const write = () => void logged++;
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const client = openCodexClient({
    readable: process.stdout,
    writable: process.stdin,
    log,
    onNotification: (notification) => {
      notified?.push(notification.method);
      longest = Math.max(longest, sizeOf(notification));
    },
    onApproval: async (threadId) => {
      asked?.push(threadId);
      return new Promise((resolve) => {
        // A question that is answered by anything but a key is an acceptance.
        void client.closed.then(() => resolve({ decision: "decline" }));
      });
    },
    onNote: () => {},
  });
  await over;
  client.close();
  return heardOf({ asked, accepted, notified, logged, longest });
};

/** A client as one writes it for a program that one trusts. */
export const trustingListener: Listener = async (process, over) => {
  const [asked, accepted, notified]: string[][] = [[], [], []];
  let [logged, longest] = [0, 0];
  let crashed: string | undefined;
  const waiting = new Map<unknown, string>();
  const state: Record<string, unknown> = {};
  const methods: Record<string, (params: unknown) => unknown> = {
    "account/chatgptAuthTokens/refresh": () => ({ accessToken: KEY, chatgptAccountId: "a" }),
  };
  const answer = (id: unknown, result: unknown) =>
    process.stdin.write(`${JSON.stringify({ id, result })}\n`);
  for await (const line of untilOver(process, over)) {
    try {
      longest = Math.max(longest, line.length);
      const { id, method, params, result } = JSON.parse(line);
      if (method === undefined) {
        if (waiting.delete(id) && result?.decision === "accept") accepted?.push(String(id));
        else logged++;
      } else if (id === undefined) {
        notified?.push(method);
        logged++;
        merge(state, params ?? {});
        JSON.stringify(params);
      } else if (method.endsWith("Approval")) {
        asked?.push(String(id));
        waiting.set(id, method);
      } else answer(id, methods[method]?.(params) ?? null);
    } catch (error) {
      crashed ??= String(error);
    }
  }
  return { ...heardOf({ asked, accepted, notified, logged, longest }), crashed };
};

async function* untilOver(process: SandboxProcess, over: Promise<unknown>): AsyncGenerator<string> {
  const lines = createInterface({ input: process.stdout });
  void over.then(() => lines.close());
  yield* lines;
}

/** As in any tutorial on settings. */
function merge(into: Record<string, unknown>, from: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value === "object" && value !== null) {
      into[key] ??= {};
      merge(into[key] as Record<string, unknown>, value as Record<string, unknown>);
    } else into[key] = value;
  }
}

function sizeOf(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function heardOf(counts: {
  readonly asked: string[] | undefined;
  readonly accepted: string[] | undefined;
  readonly notified: string[] | undefined;
  readonly logged: number;
  readonly longest: number;
}): Heard {
  const { asked = [], accepted = [], notified = [], logged, longest } = counts;
  return { answers: [], asked, accepted, notified, logged, longest, crashed: undefined };
}
