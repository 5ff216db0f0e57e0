import { join } from "node:path";
import { type Audit, openAudit } from "../audit/index.ts";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import type { CommitsOptions } from "../workspace/git/index.ts";
import { AuditRecorder } from "./audit-recorder.ts";
import type { Account, KeyRing } from "./auth/index.ts";
import { type Backend, startBackend } from "./backend/index.ts";
import { CLASH, type Conversation, NO_CONVERSATION } from "./conversation/index.ts";
import { type Failure, stopped } from "./failure.ts";
import {
  gitAroundTurn,
  gitPlace,
  HostWatch,
  latePathsText,
  letGoAroundTurn,
  McpStart,
  Protection,
  type TurnHook,
} from "./hooks/index.ts";
import { Inbox } from "./inbox.ts";
import { NetworkAccess } from "./network/index.ts";
import { LiveSettings, type Settings, STALE } from "./settings/index.ts";
import { effortsOf } from "./thread/index.ts";
import { forgetDeleted } from "./threads/index.ts";

/** What a project's session is made from. */
export type ProjectOptions = {
  readonly root: string;
  readonly projectDir: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly log: Log;
  /** Keys that commands have printed, and the login; all projects share them. */
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
  readonly turnHooks: readonly TurnHook[];
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkAccess;
  /** What happens in the project, on record. */
  readonly audit: Audit;
  readonly account: Account;
  readonly #auditNews: AuditRecorder;
  readonly #inbox: Inbox;
  readonly #watch: HostWatch;
  readonly #mcp: McpStart;
  #isUnrecorded = false;
  readonly #protection: Protection;
  /** The latest settings; those of the sandbox count from its next start. */
  readonly live: LiveSettings;
  readonly #options: ProjectOptions;
  #state: State = { at: "off" };
  #abort = new AbortController();
  #idle: NodeJS.Timeout | undefined;
  /** The last backend's end: a new one must not find its container, or be taken away with it. */
  #over: Promise<void> = Promise.resolve();
  readonly #progress = new Set<(what: string) => void>();

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
        this.#showRecorded(false);
      },
      onMended: () => this.#showRecorded(true),
    });
    this.#auditNews = new AuditRecorder(this.audit);
    this.#inbox = new Inbox(this.conversations, this.#auditNews, options.log);
    this.network = new NetworkAccess({
      path: join(options.projectDir, "network.json"),
      settings: () => this.settings.network,
      ask: (thread, question) => {
        const conversation = this.#inbox.of(thread);
        return this.#auditNews.askedHost(
          question,
          thread,
          conversation?.document.path,
          conversation?.approvals.askNetwork(question) ?? Promise.resolve(NO_CONVERSATION),
        );
      },
      withdraw: (thread, id, why) => this.#inbox.of(thread)?.approvals.withdraw(id, why, "decline"),
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
    const [letGoAwaited, letGoBegun] = letGoAroundTurn(() => this.running?.letGo?.());
    this.turnHooks = [
      letGoAwaited,
      this.network.aroundTurn,
      gitAroundTurn(() => this.running?.git, this.audit),
      this.#watch,
      this.#protection,
      this.#mcp,
      letGoBegun,
    ];
  }

  /** A thread has got its conversation: hands on what was told of it before. */
  flushEarlyNotifications(thread: string): void {
    this.#inbox.flushEarlyNotifications(thread);
  }

  /** Ends the project: what runs, and the record of it. */
  async close(): Promise<void> {
    await this.stop();
    await this.audit.close();
  }

  /**
   * The running backend. Of several that ask at once, one start serves all; it goes on when one of
   * them stops waiting.
   */
  async backend(
    signal: AbortSignal,
    onProgress: (what: string) => void,
  ): Promise<Result<Backend, Failure>> {
    clearTimeout(this.#idle);
    if (this.live.fault !== undefined) return err(this.live.fault);
    if (this.#state.at === "running") return { ok: true, value: this.#state.backend };
    this.#progress.add(onProgress);
    try {
      return await Promise.race([this.#start(), stopped(signal)]);
    } finally {
      this.#progress.delete(onProgress);
    }
  }

  /**
   * Before a turn of `asker`: ends a backend that was started with other settings, or whose sandbox can
   * write what the user's git obeys by now. The next has it read-only, and an added submodule's git.
   * Errors: `settings_changed`.
   */
  async renew(asker: Conversation | undefined): Promise<Result<void, Failure>> {
    const { running } = this;
    const isFree = () => [...this.conversations].every((it) => it === asker || !it.isBusy);
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

  /** Where the real repository is. */
  gitPlace(): Promise<CommitsOptions | undefined> {
    return gitPlace({ ...this.#options, settings: this.settings });
  }

  /** The backend where it runs already. */
  get running(): Backend | undefined {
    return this.#state.at === "running" ? this.#state.backend : undefined;
  }

  /** Ends the backend, its rounds with the failure; the next one starts once `after` is done, too. */
  async stop(failure?: Failure, after?: () => Promise<void>): Promise<void> {
    clearTimeout(this.#idle);
    this.#abort.abort();
    this.#abort = new AbortController();
    const state = this.#state;
    this.#state = { at: "off" };
    const over = this.#finish(state, failure).then(after);
    this.#over = over.catch(() => {});
    await over;
  }

  async #finish(state: State, failure: Failure | undefined): Promise<void> {
    const backend =
      state.at === "running"
        ? state.backend
        : state.at === "starting"
          ? await state.started.then((it) => (it.ok ? it.value : undefined))
          : undefined;
    if (backend === undefined) return;
    this.#recordEnd("stopped", failure);
    if (failure !== undefined) this.#tellEnd(backend, failure);
    await this.#close(backend);
  }

  /** Starts counting towards the idle stop where no round runs. */
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

  /** Whether a turn runs in any of its conversations. */
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

  #begin(signal: AbortSignal): Promise<Result<Backend, Failure>> {
    return startBackend({
      ...this.#options,
      settings: this.live.start(),
      audit: this.audit,
      onProgress: (what) => {
        for (const listener of this.#progress) listener(what);
      },
      onNotification: (notification) => this.#inbox.notified(this.#mcp.told(notification)),
      onApproval: (threadId, approval) => this.#inbox.asked(threadId, approval),
      onTool: async (call) =>
        (await this.#inbox.workedFor(call.threadId)?.tools.call(call)) ?? NO_THREAD,
      onClash: (id) => {
        for (const { approvals } of this.conversations) approvals.withdraw(id, CLASH);
      },
      onRefused: (threadId, { kind, about }) =>
        this.#auditNews.fixed(
          threadId,
          kind,
          about,
          this.#inbox.workedFor(threadId)?.document.path,
        ),
      onNote: (thread, text) =>
        this.#inbox.workedFor(thread)?.document.apply({ type: "note", text, byCodex: true }),
      onEgress: (event) => this.#inbox.egress(event),
      onRequest: (request) => this.#inbox.requested(request),
      models: () => new Set([...this.conversations].flatMap(({ thread }) => [...thread.models])),
      efforts: () => effortsOf([...this.conversations].map(({ thread }) => thread)),
      network: this.network,
      signal,
    });
  }

  async #ended(backend: Backend, failure: Failure): Promise<void> {
    // After a stop from here its end is no news.
    if (this.#state.at !== "running" || this.#state.backend !== backend) return;
    this.#options.log.error({ failure }, "the backend ended");
    this.#state = { at: "off" };
    this.#recordEnd("ended", failure);
    const closed = this.#close(backend);
    this.#over = closed.catch(() => {});
    this.#tellEnd(backend, failure);
    await closed;
  }

  /** Ends what runs, and says what it did to the project after its last turn. */
  async #close(backend: Backend): Promise<void> {
    await backend.close();
    this.#mcp.forget();
    const events = await this.#watch.ended();
    for (const { document, threadId } of this.conversations)
      if (threadId !== undefined) for (const event of events) document.apply(event);
  }

  #recordEnd(action: "stopped" | "ended", failure: Failure | undefined): void {
    this.#auditNews.unfinished();
    this.audit.record({ event: "sandbox", action, reason: failure?.message });
  }

  #showRecorded(isRecorded: boolean): void {
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

  #tellEnd(backend: Backend, failure: Failure): void {
    for (const conversation of this.conversations) conversation.backendEnded(backend, failure);
  }
}
