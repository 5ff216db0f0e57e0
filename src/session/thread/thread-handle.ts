import { join } from "node:path";
import type { ApprovalPolicy } from "../../codex/index.ts";
import type { Log, Progress } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Backend } from "../backend/index.ts";
import { type Failure, STOPPED } from "../failure.ts";
import type { Grants } from "../network/index.ts";
import type { Query } from "../query.ts";
import { enabledServers, type Settings } from "../settings/index.ts";
import type { LoadedThread, ThreadDocument, TurnBackend } from "./loaded-thread.ts";
import { type OpenHow, openThread, startParams, type ThreadFacts } from "./open-thread.ts";
import { ThreadAhead } from "./thread-ahead.ts";
import { contextOf, inputsOf, textInput } from "./turn-input.ts";
import { UnsavedFiles } from "./unsaved-files.ts";

/** A user's choices for one conversation. */
export type ThreadChoice = {
  readonly model?: string;
  readonly effort?: string;
  readonly approvals?: ApprovalPolicy;
  /** Whether Codex discusses a plan instead of working. */
  readonly plan: boolean;
};

/** What loading a thread needs of the project. */
export type ThreadOptions = {
  readonly root: string;
  readonly settings: Settings;
  readonly log: Log;
  /** The hosts that conversations may reach. */
  readonly network: { readonly grants: Pick<Grants, "begin">; readonly expectTurn: () => void };
  readonly sandbox: { readonly projectDir: string };
  /** What Codex has to know of the user's undos and redos since its last turn. */
  readonly changes: {
    readonly news: (thread: string) => string | undefined;
    readonly newsTaken: (thread: string) => void;
  };
  readonly backend: (
    signal: AbortSignal,
    onProgress: (what: Progress) => void,
  ) => Promise<Result<Backend, Failure>>;
};

/** How a thread is loaded for a use of it. */
export type UseOptions = OpenHow & {
  readonly signal: AbortSignal;
  readonly onProgress: (what: Progress) => void;
};

/** How much of an old conversation a new thread is given; Codex takes 1,048,576 characters a turn. */
const TRANSCRIPT_MAX_CHARS = 200_000;
const TOO_LONG = "it no longer fits the model's context window";
/** How often in a row loading may fail for a passing reason before the thread counts as unusable. */
const MAX_LOADS = 2;

/** A conversation's thread: in which app-server it is loaded, and the requests about its turns. */
export class ThreadHandle {
  readonly #document: ThreadDocument;
  readonly #options: ThreadOptions;
  #loadedIn: Backend | undefined;
  /** What a new thread is given before the next query. */
  #preface: readonly string[] = [];
  #facts: ThreadFacts | undefined;
  readonly #unsaved = new UnsavedFiles();
  readonly #ahead = new ThreadAhead();
  #choice: ThreadChoice = { plan: false };
  /**
   * The models that this conversation has used since it was opened. Earlier ones count: a running
   * turn and sub-agents go on with them.
   */
  readonly models = new Set<string>();
  /** The same for efforts; undefined is an effort that is left to Codex. */
  readonly efforts = new Set<string | undefined>();
  /** Whether Codex may be in another mode than the one chosen. */
  #isModeOpen = false;
  /** Why the thread is no longer used. */
  #unusable: string | undefined;
  /** Whether a part of it can still be used. */
  #isTooLong = false;
  /** The thread before this one, until this one has had an answer. */
  #replaced: string | undefined;
  /** How often the text that a new thread is given was halved. */
  #halvings = 0;
  /** How often in a row loading the thread has failed. */
  #failedLoads = 0;

  constructor(document: ThreadDocument, options: ThreadOptions) {
    this.#document = document;
    this.#options = options;
  }

  /** What the user chose for this conversation, from the next turn on. */
  get choice(): ThreadChoice {
    return this.#choice;
  }

  set choice(choice: ThreadChoice) {
    this.#choice = choice;
    if (choice.model !== undefined) this.models.add(choice.model);
    if (choice.effort !== undefined) this.efforts.add(choice.effort);
  }

  /** Codex's id of it; undefined until the first turn. */
  get id(): string | undefined {
    return this.#document.meta.thread;
  }

  /** Why the thread is no longer used; undefined if it is. */
  get unusable(): string | undefined {
    return this.#unusable;
  }

  /** Whether it has replaced another one and has had no answer yet. */
  get isReplacement(): boolean {
    return this.#replaced !== undefined;
  }

  /**
   * The thread is no longer used: the next query goes to a new one, which is given the text.
   */
  abandon(why: string): void {
    this.#unusable = why;
    this.#isTooLong = false;
  }

  /** The same for a thread that is too long: a part of it can still be used. */
  abandonAsTooLong(): void {
    if (this.isReplacement) this.#halvings += 1;
    this.#unusable = TOO_LONG;
    this.#isTooLong = true;
  }

  /** The reason for which it was abandoned is gone: it is used again. */
  reuse(): void {
    this.#unusable = undefined;
  }

  /** Goes back to the thread that this one has replaced: that one was not at fault. */
  restore(): void {
    const before = this.#replaced;
    if (before === undefined) return;
    this.#replaced = undefined;
    this.#unusable = undefined;
    this.#preface = [];
    this.#document.setMeta({ thread: before });
  }

  /** A turn has completed: the thread can be used. */
  turnCompleted(): void {
    this.#replaced = undefined;
    this.#halvings = 0;
  }

  /**
   * The user types the first query: starts the thread for it. Not if it has MCP servers, which start
   * with it and may ask for hosts.
   */
  prepare({ client }: Pick<Backend, "client">): void {
    const { root, settings } = this.#options;
    if (this.id === undefined && enabledServers(settings).length === 0)
      this.#ahead.begin(client, startParams(root, settings));
  }

  /**
   * Starts the backend if none runs, and loads the thread, or makes one. Errors: those of starting and
   * resuming.
   */
  async load(
    signal: AbortSignal,
    onProgress: (what: Progress) => void,
    how: OpenHow = { sending: 0, mayReplace: true },
  ): Promise<Result<LoadedThread, Failure>> {
    const { settings, root, sandbox } = this.#options;
    const backend = await this.#options.backend(signal, onProgress);
    if (!backend.ok) return backend;
    if (signal.aborted) return err(STOPPED);
    const { client } = backend.value;
    const before = this.id;
    // Codex starts the thread's MCP servers with it, and they may need to fetch something.
    if (this.#loadedIn !== backend.value) this.#options.network.expectTurn();
    const opened = await openThread({
      ...how,
      client,
      document: this.#document,
      settings,
      root,
      codexHome: join(sandbox.projectDir, "codex-home"),
      isLoaded: this.#loadedIn === backend.value,
      unusable: this.#isTooLong && !how.mayReplace ? undefined : this.#unusable,
      maxChars: this.#maxChars,
      ahead: this.#ahead,
      signal,
    });
    if (signal.aborted) return err(STOPPED);
    if (!opened.ok) return this.#notLoaded(opened.error);
    this.#failedLoads = 0;
    const isNew = opened.value.isNew === true;
    if (opened.value.isNew !== undefined)
      await this.#options.network.grants.begin(opened.value.threadId);
    if (isNew) {
      this.#unusable = undefined;
      this.#replaced = before;
      this.#preface = [];
    }
    this.#loadedIn = backend.value;
    this.#preface = [...this.#preface, ...opened.value.preface];
    if (opened.value.facts !== undefined) {
      this.#facts = opened.value.facts;
      // SECURITY: Codex's word counts only where the user has chosen nothing.
      this.models.add(settings.model ?? opened.value.facts.model);
      this.efforts.add(this.effort);
      // A resumed thread keeps its mode, and does not say which.
      this.#isModeOpen = !isNew;
    }
    const isReplaced = isNew && before !== undefined;
    return ok({ backend: backend.value, client, threadId: opened.value.threadId, isReplaced });
  }

  /**
   * Loads the thread and uses it, and does both once more if Codex has unloaded it meanwhile. Errors:
   * those of loading, and those of `use`.
   */
  async use<T>(
    use: (thread: LoadedThread) => Promise<Result<T, Failure>>,
    { signal, onProgress, ...how }: UseOptions,
  ): Promise<Result<T, Failure>> {
    const loaded = await this.load(signal, onProgress, how);
    if (!loaded.ok) return loaded;
    const done = await use(loaded.value);
    if (done.ok || done.error.kind !== "thread_unknown") return done;
    this.#loadedIn = undefined;
    const again = await this.load(signal, onProgress, how);
    return again.ok ? use(again.value) : again;
  }

  /** A thread that ends the app-server, or never loads, is given up in the end. */
  #notLoaded(failure: Failure): Result<never, Failure> {
    if (["closed", "timeout"].includes(failure.kind) && this.id !== undefined) {
      this.#failedLoads += 1;
      if (this.#failedLoads >= MAX_LOADS) this.abandon(failure.message);
    }
    return err(failure);
  }

  /** Half of the model's window if that is known, at two characters a token. */
  get #maxChars(): number {
    const window = this.#document.standing.usage?.window ?? TRANSCRIPT_MAX_CHARS;
    return Math.floor(Math.min(TRANSCRIPT_MAX_CHARS, window) / 2 ** this.#halvings);
  }

  /** The conversation is closed: Codex need not keep the thread loaded. */
  leave(): void {
    const { loaded } = this;
    void loaded?.client
      .request("thread/unsubscribe", { threadId: loaded.threadId })
      .catch(() => {});
    this.#ahead.leave();
  }

  /** The app-server is gone. False if the thread was not loaded in it. */
  unload(backend: TurnBackend): boolean {
    if (this.#loadedIn !== backend) return false;
    this.#loadedIn = undefined;
    return true;
  }

  /** Starts a turn and returns its id. Without queries Codex answers again what it has. */
  async startTurn(
    { client, threadId }: LoadedThread,
    queries: readonly Query[],
  ): Promise<Result<string, Failure>> {
    const clientId = queries.at(-1)?.id;
    const { model, effort } = this;
    const { approvals } = this.choice;
    const turn = await client.request("turn/start", {
      threadId,
      input: [...this.#preface.map(textInput), ...inputsOf(queries)],
      ...contextOf({
        editor: this.#unsaved.of(queries),
        changes: this.#options.changes.news(threadId),
      }),
      ...(clientId === undefined ? {} : { clientUserMessageId: clientId }),
      ...(model === undefined ? {} : { model }),
      ...(effort === undefined ? {} : { effort }),
      ...(approvals === undefined ? {} : { approvalPolicy: approvals }),
      ...(model !== undefined && (this.choice.plan || this.#isModeOpen)
        ? {
            collaborationMode: {
              mode: this.choice.plan ? "plan" : "default",
              settings: { model, reasoning_effort: effort ?? null, developer_instructions: null },
            },
          }
        : {}),
    });
    if (!turn.ok) return turn;
    this.#isModeOpen = this.choice.plan;
    this.#options.changes.newsTaken(threadId);
    return ok(turn.value.turn.id);
  }

  /** The model for the next turn; undefined until Codex reports its default. */
  get model(): string | undefined {
    return this.choice.model ?? this.#facts?.model;
  }

  get effort(): string | undefined {
    return this.choice.effort ?? this.#options.settings.effort ?? this.#facts?.effort;
  }

  /** Effort and mode of the next turn, in a word or two for the winbar. */
  get mode(): string {
    const words = [this.effort, this.choice.plan ? "plan" : undefined];
    return words.filter((word) => word !== undefined).join(" ");
  }

  /** When Codex asks in the next turn. */
  get approvals(): ApprovalPolicy {
    return this.choice.approvals ?? this.#options.settings.approvals;
  }

  /** The thread as it is loaded; undefined if no backend runs. */
  get loaded(): LoadedThread | undefined {
    const { id } = this;
    if (this.#loadedIn === undefined || id === undefined) return undefined;
    return { backend: this.#loadedIn, client: this.#loadedIn.client, threadId: id };
  }

  /** What Codex reported when it loaded the thread. */
  get facts(): ThreadFacts | undefined {
    return this.#facts;
  }

  /** A query is in the thread, and so is all that it was given before. */
  queryAccepted(): void {
    this.#preface = [];
  }

  /** Steers a query into the running turn. Errors: the turn is over, or cannot be steered. */
  async steer(turnId: string, query: Query): Promise<Result<void, Failure>> {
    const threadId = this.id;
    if (this.#loadedIn === undefined || threadId === undefined)
      return err({ kind: "not_running", message: "No turn is running." });
    const steered = await this.#loadedIn.client.request("turn/steer", {
      threadId,
      expectedTurnId: turnId,
      input: inputsOf([query]),
      ...contextOf({ editor: this.#unsaved.of([query]) }),
      clientUserMessageId: query.id,
    });
    return steered.ok ? ok() : steered;
  }

  /**
   * Interrupts a turn and, unless the user wants otherwise, ends the commands that it runs. Whether the
   * turn has ended shows in `turn/completed`.
   */
  async interrupt(turnId: string): Promise<void> {
    const client = this.#loadedIn?.client;
    const threadId = this.id;
    if (client === undefined || threadId === undefined) return;
    const { log, settings } = this.#options;
    const stopped = await client.request("turn/interrupt", { threadId, turnId });
    if (!stopped.ok) log.warn({ error: stopped.error }, "interrupting failed");
    if (settings.stop_commands !== "always") return;
    // Codex leaves the command running in the background, and the user means that as well.
    const cleaned = await client.request("thread/backgroundTerminals/clean", { threadId });
    if (!cleaned.ok) log.warn({ error: cleaned.error }, "ending commands failed");
  }
}

/** The efforts that calls of these threads may ask for; undefined if one is left to Codex. */
export function effortsOf(
  threads: readonly { readonly efforts: ReadonlySet<string | undefined> }[],
): ReadonlySet<string> | undefined {
  const all = threads.flatMap(({ efforts }) => [...efforts]);
  const chosen = all.filter((effort) => effort !== undefined);
  return chosen.length === all.length && all.length > 0 ? new Set(chosen) : undefined;
}
