import { dirname, join } from "node:path";
import { type Audit, openAudit } from "../audit/index.ts";
import type { Log, Progress } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import type { CommitsOptions } from "../workspace/git/index.ts";
import { AuditRecorder } from "./audit-recorder.ts";
import type { Account, KeyRing } from "./auth/index.ts";
import type { Backend } from "./backend/index.ts";
import { ProjectChanges } from "./changes/index.ts";
import { CLASH, type Conversation, NO_CONVERSATION } from "./conversation/index.ts";
import { type Failure, partGone, stopped } from "./failure.ts";
import {
  gitPlace,
  gitTurnHook,
  HostWatch,
  LetGoHooks,
  latePathsText,
  McpStart,
  Protection,
  type TurnHooks,
} from "./hooks/index.ts";
import { Inbox } from "./inbox.ts";
import { NetworkAccess } from "./network/index.ts";
import { LiveSettings, type Settings, STALE } from "./settings/index.ts";
import { effortsOf } from "./thread/index.ts";
import { forgetDeleted } from "./threads/index.ts";

/** What a project is made from. */
export type ProjectOptions = {
  readonly root: string;
  readonly projectDir: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly log: Log;
  /** Keys that commands have printed, and the login: all projects share both. */
  readonly keys: KeyRing;
  readonly account: Account;
};

const NO_THREAD = { ok: false, text: "No conversation has this thread." };

type State =
  | { readonly at: "off" }
  | { readonly at: "starting"; readonly started: Promise<Result<Backend, Failure>> }
  | { readonly at: "running"; readonly backend: Backend };

/**
 * One project: its backend, started on first use and ended after idling, and the conversations
 * that share it.
 */
export class Project {
  readonly root: string;
  /** Its state directory. */
  readonly dir: string;
  readonly conversations = new Set<Conversation>();
  /** What is done for the project before each turn and after it. */
  readonly turnHooks: TurnHooks;
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkAccess;
  /** The record of what happens in the project. */
  readonly audit: Audit;
  readonly account: Account;
  /** What Codex has changed in the project's files. */
  readonly changes: ProjectChanges;
  readonly #recorder: AuditRecorder;
  readonly #inbox: Inbox;
  readonly #watch: HostWatch;
  readonly #mcp: McpStart;
  readonly #letGo: LetGoHooks;
  #isUnrecorded = false;
  readonly #protection: Protection;
  /** The latest settings; those of the sandbox count from its next start. */
  readonly live: LiveSettings;
  readonly #options: ProjectOptions;
  #state: State = { at: "off" };
  #abort = new AbortController();
  /** No start has failed since one succeeded. */
  #mayPrepare = true;
  #idle: NodeJS.Timeout | undefined;
  /** Settles when the last backend has ended: the next must not join the container that it stops. */
  #over: Promise<void> = Promise.resolve();
  readonly #progress = new Set<(what: Progress) => void>();
  /** Of the start that runs. */
  #lastProgress: Progress | undefined;

  constructor(options: ProjectOptions) {
    this.root = options.root;
    this.account = options.account;
    this.dir = options.projectDir;
    this.live = new LiveSettings(options.settings);
    this.#options = options;
    this.audit = openAudit({
      path: join(options.projectDir, "audit.jsonl"),
      onProblem: (message) => {
        options.log.error({ message }, "the audit log cannot be written");
        for (const { document } of this.conversations)
          document.apply({ type: "note", text: message, once: true });
        this.#setRecorded(false);
      },
      onMended: () => this.#setRecorded(true),
    });
    this.#recorder = new AuditRecorder(this.audit);
    this.#inbox = new Inbox(this.conversations, this.#recorder, options.log);
    this.network = new NetworkAccess({
      path: join(options.projectDir, "network.json"),
      settings: () => this.settings.network,
      ask: (thread, question) => {
        const conversation = this.#inbox.conversationOf(thread);
        return this.#recorder.askedHost(
          question,
          thread,
          conversation?.document.path,
          conversation?.approvals.askNetwork(question) ?? Promise.resolve(NO_CONVERSATION),
        );
      },
      withdraw: (thread, id, why) =>
        this.#inbox.conversationOf(thread)?.approvals.withdraw(id, why, "decline"),
      log: options.log,
    });
    this.#watch = new HostWatch({
      root: options.root,
      paths: () => this.settings.watch.paths,
      audit: this.audit,
    });
    this.#mcp = new McpStart(this);
    this.#protection = new Protection({
      root: options.root,
      projectDir: options.projectDir,
      late: async () => this.running?.lateSince(),
    });
    this.#letGo = new LetGoHooks(() => this.running?.letGo?.());
    this.changes = new ProjectChanges({
      ...options,
      foreign: () =>
        [...this.conversations].flatMap(({ document: { path } }) => [path, dirname(path)]),
    });
    this.turnHooks = [
      this.#letGo.awaited,
      this.changes,
      this.network.aroundTurn,
      [gitTurnHook(() => this.running?.git, this.audit), this.#watch],
      this.#protection,
      this.#mcp,
      this.#letGo.begun,
    ];
  }

  /** A conversation has this thread from now on: it gets the notifications that came before. */
  flushEarlyNotifications(thread: string): void {
    this.#inbox.flushEarlyNotifications(thread);
  }

  /** Ends the backend, and then the record. */
  async close(): Promise<void> {
    await this.stop();
    await this.changes.close();
    await this.audit.close();
  }

  /**
   * The running backend, started if there is none. One start serves all that ask meanwhile, and goes
   * on when one of them stops waiting.
   */
  async backend(
    signal: AbortSignal,
    onProgress: (what: Progress) => void,
  ): Promise<Result<Backend, Failure>> {
    clearTimeout(this.#idle);
    if (this.live.fault !== undefined) return err(this.live.fault);
    if (this.#state.at === "running") return { ok: true, value: this.#state.backend };
    this.#progress.add(onProgress);
    if (this.#state.at === "starting" && this.#lastProgress !== undefined)
      onProgress(this.#lastProgress);
    try {
      return await Promise.race([this.#start(), stopped(signal)]);
    } finally {
      this.#progress.delete(onProgress);
    }
  }

  /**
   * The running backend, or one that is started ahead of a turn and ends by idling. A failure is left to the turn, which
   * reports it; after one, nothing is started ahead until a turn has started it.
   */
  async prepare(onProgress: (what: Progress) => void): Promise<Backend | undefined> {
    if (this.running !== undefined && !this.live.isPending) return this.running;
    if (this.#state.at !== "off" || !this.#mayPrepare) return undefined;
    this.#mayPrepare = false;
    this.changes.prepare(this.#abort.signal);
    const started = await this.backend(this.#abort.signal, onProgress);
    if (started.ok) this.rest();
    else this.#options.log.info({ failure: started.error }, "nothing was started ahead of a turn");
    return started.ok ? started.value : undefined;
  }

  /**
   * Before a turn of `asker`: ends a backend that was started with other settings, or in whose sandbox
   * a path is writable that the user's git trusts by now. The next one has that path read-only, and
   * the git directory of a submodule that was added. Errors: `settings_changed`.
   */
  async renew(asker: Conversation | undefined): Promise<Result<void, Failure>> {
    const { running } = this;
    const isFree = () => [...this.conversations].every((other) => other === asker || !other.isBusy);
    if (running !== undefined && this.live.isStale) {
      if (!isFree()) return err(STALE);
      await this.stop();
      return ok();
    }
    const late = await running?.lateSince();
    if (late === undefined || this.running !== running) return ok();
    if (late.names.length === 0 && (late.problem ?? late.stateGone) === undefined) return ok();
    const mayEnd = isFree();
    if (mayEnd) await this.stop();
    else this.#protection.remember(late.names);
    asker?.document.apply({ type: "note", text: latePathsText(late, mayEnd), once: true });
    return ok();
  }

  /** The real repository; undefined where the agent has no git of its own. */
  gitPlace(): Promise<CommitsOptions | undefined> {
    return gitPlace({ ...this.#options, settings: this.settings });
  }

  /** The backend that runs already; undefined where none does. */
  get running(): Backend | undefined {
    return this.#state.at === "running" ? this.#state.backend : undefined;
  }

  /** Ends the backend, and its turns with the failure; the next one starts after `after`. */
  async stop(failure?: Failure, after?: () => Promise<void>): Promise<void> {
    clearTimeout(this.#idle);
    this.#abort.abort();
    this.#abort = new AbortController();
    const state = this.#state;
    this.#state = { at: "off" };
    // A backend that ended by itself may still be closing.
    const over = Promise.all([this.#finish(state, failure), this.#over]).then(after);
    this.#over = over.catch(() => {});
    await over;
  }

  async #finish(state: State, failure: Failure | undefined): Promise<void> {
    const backend =
      state.at === "running"
        ? state.backend
        : state.at === "starting"
          ? await state.started.then((started) => (started.ok ? started.value : undefined))
          : undefined;
    if (backend === undefined) return;
    this.#recordEnd("stopped", failure);
    if (failure !== undefined) this.#notifyEnd(backend, failure);
    await this.#close(backend);
  }

  /** Starts the time to the idle stop, unless a turn runs. */
  rest(): void {
    clearTimeout(this.#idle);
    if (this.#state.at !== "running" || this.isBusy) return;
    this.#idle = setTimeout(
      () => {
        if (!this.isBusy) void this.stop();
      },
      Math.min(this.settings.sandbox.idle_minutes * 60_000, 2 ** 31 - 1),
    );
    this.#idle.unref();
  }

  /** Whether a turn runs in any conversation of the project. */
  get isBusy(): boolean {
    return [...this.conversations].some((conversation) => conversation.isBusy);
  }

  get settings(): Settings {
    return this.live.current;
  }

  #start(): Promise<Result<Backend, Failure>> {
    if (this.#state.at === "starting") return this.#state.started;
    const { signal } = this.#abort;
    const begun = this.#over.then(() => this.#begin(signal));
    const started: Promise<Result<Backend, Failure>> = begun.then((result) => {
      const isOurs = this.#state.at === "starting" && this.#state.started === started;
      if (isOurs)
        this.#state = result.ok ? { at: "running", backend: result.value } : { at: "off" };
      if (result.ok) {
        this.#mayPrepare = true;
        for (const { document } of this.conversations)
          document.setShown({ sandbox: this.#label(result.value) });
        void result.value.ended.then((failure) => this.#ended(result.value, failure));
        const { projectDir, log } = this.#options;
        void forgetDeleted(result.value.client, projectDir, log);
      }
      return result;
    });
    this.#state = { at: "starting", started };
    return started;
  }

  async #begin(signal: AbortSignal): Promise<Result<Backend, Failure>> {
    this.#lastProgress = undefined;
    // Loaded here, because a chat that is only read needs nothing of it.
    const part = await import("./backend/index.ts").then(
      ({ startBackend }) => ok(startBackend),
      (thrown) => err(partGone(thrown)),
    );
    if (!part.ok) return part;
    return part.value({
      ...this.#options,
      settings: this.live.start(),
      audit: this.audit,
      onProgress: (what) => {
        this.#lastProgress = what;
        for (const listener of this.#progress) listener(what);
      },
      onNotification: (notification) => {
        this.#letGo.onNotification(notification);
        this.#inbox.onNotification(this.#mcp.onNotification(notification));
      },
      onApproval: (threadId, approval) => this.#inbox.ask(threadId, approval),
      onTool: async (call) =>
        (await this.#inbox.conversationForThread(call.threadId)?.tools.call(call)) ?? NO_THREAD,
      onClash: (id) => {
        for (const { approvals } of this.conversations) approvals.withdraw(id, CLASH);
      },
      onRefused: (threadId, { kind, about }) =>
        this.#recorder.fixed(
          threadId,
          kind,
          about,
          this.#inbox.conversationForThread(threadId)?.document.path,
        ),
      onNote: (thread, text) =>
        this.#inbox
          .conversationForThread(thread)
          ?.document.apply({ type: "note", text, byCodex: true }),
      onEgress: (event) => this.#inbox.onEgress(event),
      onRequest: (request) => this.#inbox.onModelRequest(request),
      models: () => new Set([...this.conversations].flatMap(({ thread }) => [...thread.models])),
      efforts: () => effortsOf([...this.conversations].map(({ thread }) => thread)),
      network: this.network,
      signal,
    });
  }

  async #ended(backend: Backend, failure: Failure): Promise<void> {
    // `stop` has dealt with it already.
    if (this.#state.at !== "running" || this.#state.backend !== backend) return;
    this.#options.log.error({ failure }, "the backend ended");
    this.#state = { at: "off" };
    this.#recordEnd("ended", failure);
    const closed = this.#close(backend);
    this.#over = closed.catch(() => {});
    this.#notifyEnd(backend, failure);
    await closed;
  }

  /** Closes the backend, and shows which files of the project changed after the last turn. */
  async #close(backend: Backend): Promise<void> {
    await backend.close();
    this.#mcp.forget();
    this.#letGo.forget();
    const events = await this.#watch.ended();
    for (const { document, threadId } of this.conversations)
      if (threadId !== undefined) for (const event of events) document.apply(event);
  }

  #recordEnd(action: "stopped" | "ended", failure: Failure | undefined): void {
    this.#recorder.unfinished();
    this.audit.record({ event: "sandbox", action, reason: failure?.message });
  }

  #setRecorded(isRecorded: boolean): void {
    this.#isUnrecorded = !isRecorded;
    const { running } = this;
    if (running === undefined) return;
    for (const { document } of this.conversations)
      document.setShown({ sandbox: this.#label(running) });
  }

  #label({ sandboxLabel }: Backend): string {
    const login = this.settings.auth === "login" ? " · ChatGPT" : "";
    return `${sandboxLabel}${this.#isUnrecorded ? ", not recorded" : ""}${login}`;
  }

  #notifyEnd(backend: Backend, failure: Failure): void {
    for (const conversation of this.conversations) conversation.backendEnded(backend, failure);
  }
}
