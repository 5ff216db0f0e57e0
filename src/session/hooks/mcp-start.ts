import { setTimeout as pause } from "node:timers/promises";
import type { ServerNotification } from "../../codex/messages/index.ts";
import { ok, type Result } from "../../result.ts";
import { type Failure, STOPPED } from "../failure.ts";
import { enabledServers, type Settings } from "../settings/index.ts";
import { startFault } from "./mcp-failures.ts";
import type { HookedTurn, TurnHook } from "./turn-hook.ts";

/** How long Codex may take to begin to start a thread's servers. */
const FIRST_MS = 1500;
/** How long a turn waits for servers that ask for nothing. */
const PATIENCE_MS = 20_000;
/** SECURITY: a program inside can make Codex report any number of names. */
const MAX_THREADS = 100;
const MAX_STARTING = 100;

/** The part of a project that the start of MCP servers is about. */
export type ServedProject = {
  readonly settings: Pick<Settings, "mcp_servers" | "sandbox" | "network">;
  /** `asking` settles when no question about a host is open; undefined if none is. */
  readonly network: { readonly asking: () => Promise<unknown> | undefined };
  /** One says what its turn waits for. */
  readonly conversations: Iterable<{
    readonly threadId: string | undefined;
    readonly showProgress: (detail: string) => void;
  }>;
};

/**
 * Makes a thread's first turn wait until its MCP servers have started, which Codex does not (0.169):
 * the model would lack their tools, and a question about a host that a server needs to start would
 * go with a short turn. While such a question is open, the turn waits for its answer.
 */
export class McpStart implements TurnHook {
  readonly #project: ServedProject;
  readonly #patienceMs: number;
  /** By thread: the servers that are starting, for which its turn waits. */
  readonly #starting = new Map<string, Set<string>>();
  readonly #waiting = new Set<() => void>();

  constructor(project: ServedProject, patienceMs = PATIENCE_MS) {
    this.#project = project;
    this.#patienceMs = patienceMs;
  }

  /** Notes how servers start; gives the notification back, with a failure in this plugin's words. */
  onNotification(notification: ServerNotification): ServerNotification {
    if (notification.method !== "mcpServer/startupStatus/updated") return notification;
    const { params } = notification;
    const { threadId, name, status, error } = params;
    if (threadId != null) this.#note(threadId, name, status);
    if (error == null || error === "") return notification;
    const { mcp_servers: servers } = this.#project.settings;
    const server = Object.hasOwn(servers, name) ? servers[name] : undefined;
    return { ...notification, params: { ...params, error: startFault(name, error, server) } };
  }

  #note(thread: string, name: string, status: string): void {
    if (!enabledServers(this.#project.settings).includes(name)) return;
    const known = this.#starting.get(thread);
    if (known === undefined && this.#starting.size >= MAX_THREADS) return;
    const starting = known ?? new Set<string>();
    this.#starting.set(thread, starting);
    if (status !== "starting") starting.delete(name);
    else if (starting.size < MAX_STARTING) starting.add(name);
    for (const wake of this.#waiting) wake();
  }

  /** The backend has ended, and its servers with it. */
  forget(): void {
    this.#starting.clear();
    for (const wake of this.#waiting) wake();
  }

  readonly before = async (
    { threadId }: HookedTurn,
    signal: AbortSignal,
  ): Promise<Result<void, Failure>> => {
    if (enabledServers(this.#project.settings).length === 0) return ok();
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    try {
      if (!this.#starting.has(threadId)) {
        await this.#change(FIRST_MS, ended);
        // Codex says nothing about this thread's servers.
        if (!this.#starting.has(threadId)) this.#starting.set(threadId, new Set());
      }
      let until = performance.now() + this.#patienceMs;
      for (;;) {
        const starting = this.#starting.get(threadId);
        if (starting === undefined || starting.size === 0 || signal.aborted) break;
        const left = until - performance.now();
        const question = this.#project.network.asking();
        if (question !== undefined) {
          await Promise.race([question, this.#change(undefined, ended)]);
          until = performance.now() + this.#patienceMs;
        } else if (left > 0) {
          this.#show(threadId, starting);
          await this.#change(left, ended);
        } else {
          // The later turns do not wait for them again.
          starting.clear();
        }
      }
    } finally {
      over.abort();
    }
    return signal.aborted ? { ok: false, error: STOPPED } : ok();
  };

  /** Shows what the turn waits for; a question says that by itself. */
  #show(threadId: string, starting: ReadonlySet<string>): void {
    const detail = `Waiting for MCP servers: ${[...starting].join(", ")}`;
    for (const conversation of this.#project.conversations)
      if (conversation.threadId === threadId) conversation.showProgress(detail);
  }

  readonly after = async (): Promise<readonly []> => [];

  /** Resolves at the next notification, after this time, or when `signal` is aborted. */
  async #change(ms: number | undefined, signal: AbortSignal): Promise<void> {
    let wake: () => void = () => {};
    const told = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    const timer = new AbortController();
    try {
      const late = ms === undefined ? [] : [pause(ms, undefined, { signal: timer.signal })];
      await Promise.race([told, ...late.map((end) => end.catch(() => {}))]);
    } finally {
      timer.abort();
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }
}
