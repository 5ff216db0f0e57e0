import { join } from "node:path";
import type { ApprovalPolicy } from "../../codex/index.ts";
import type { Log } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Backend } from "../backend/index.ts";
import { type Failure, STOPPED } from "../failure.ts";
import type { Grants } from "../network/index.ts";
import type { Query } from "../query.ts";
import type { Settings } from "../settings/index.ts";
import type { LoadedThread, ThreadDocument, TurnBackend } from "./loaded-thread.ts";
import { type OpenHow, openThread, type ThreadFacts } from "./open-thread.ts";
import { inputsOf, textInput } from "./turn-input.ts";
import { UnsavedFiles } from "./unsaved-files.ts";

/** What a user chooses for one conversation. */
export type ThreadChoice = {
  readonly model?: string;
  readonly effort?: string;
  readonly approvals?: ApprovalPolicy;
  /** Whether Codex talks a plan over instead of working. */
  readonly plan: boolean;
};

/** What a thread is loaded with. */
export type ThreadOptions = {
  readonly root: string;
  readonly settings: Settings;
  readonly log: Log;
  /** What conversations are allowed to reach. */
  readonly network: { readonly grants: Pick<Grants, "begin">; readonly expectTurn: () => void };
  readonly sandbox: { readonly projectDir: string };
  readonly backend: (
    signal: AbortSignal,
    onProgress: (what: string) => void,
  ) => Promise<Result<Backend, Failure>>;
};

/** How a thread is loaded for a use of it. */
export type UseOptions = OpenHow & {
  readonly signal: AbortSignal;
  readonly onProgress: (what: string) => void;
};

/** How much of an old conversation a new thread is told; Codex takes 1,048,576 characters a turn. */
const TRANSCRIPT_MAX_CHARS = 200_000;
const TOO_LONG = "it no longer fits the model's context window";
/** How often loading a thread may fail for what may pass by itself, before it counts as unusable. */
const MAX_LOADS = 2;

/** A conversation's thread: in which app-server it is loaded, and the requests about its turns. */
export class ThreadHandle {
  readonly #document: ThreadDocument;
  readonly #options: ThreadOptions;
  #loadedIn: Backend | undefined;
  /** What a new thread must be told before the next query. */
  #preface: readonly string[] = [];
  #facts: ThreadFacts | undefined;
  readonly #unsaved = new UnsavedFiles();
  #choice: ThreadChoice = { plan: false };
  /**
   * The models that this conversation has been had with since it was opened. An earlier one counts:
   * a turn that runs, and sub-agents, go on with it.
   */
  readonly models = new Set<string>();
  /** The same of efforts; undefined is one that is left to Codex. */
  readonly efforts = new Set<string | undefined>();
  /** Whether Codex may work in another mode than the one chosen. */
  #isModeOpen = false;
  /** Why the thread is not used any more. */
  #unusable: string | undefined;
  /** Whether a part of it can be used all the same. */
  #isTooLong = false;
  /** The thread before this one, as long as nothing was answered in this one. */
  #replaced: string | undefined;
  /** How much less of the text than would fit a new thread is given: 1 for half of it. */
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

  /** Why the thread is not used any more; undefined where it is. */
  get unusable(): string | undefined {
    return this.#unusable;
  }

  /** Whether it has taken the place of another one, and nothing was answered in it yet. */
  get isReplacement(): boolean {
    return this.#replaced !== undefined;
  }

  /**
   * The thread is not used any more: the next query goes to a new one, which is given the text.
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

  /** It is used again: it is not any more what it was abandoned for. */
  reuse(): void {
    this.#unusable = undefined;
  }

  /** Goes back to the thread that this one has taken the place of: that one was not at fault. */
  restore(): void {
    const before = this.#replaced;
    if (before === undefined) return;
    this.#replaced = undefined;
    this.#unusable = undefined;
    this.#preface = [];
    this.#document.setMeta({ thread: before });
  }

  /** A turn has completed: the thread can be used. */
  worked(): void {
    this.#replaced = undefined;
    this.#halvings = 0;
  }

  /**
   * Starts what does not run and loads the thread; one that does not exist yet is made. Errors: as
   * starting and resuming.
   */
  async load(
    signal: AbortSignal,
    onProgress: (what: string) => void,
    how: OpenHow = { sending: 0, mayReplace: true },
  ): Promise<Result<LoadedThread, Failure>> {
    const { settings, root, sandbox } = this.#options;
    const backend = await this.#options.backend(signal, onProgress);
    if (!backend.ok) return backend;
    if (signal.aborted) return err(STOPPED);
    const { client } = backend.value;
    const before = this.id;
    // Codex starts the thread's MCP servers with it, and these may fetch something first.
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
      signal,
    });
    if (signal.aborted) return err(STOPPED);
    if (!opened.ok) return this.#notLoaded(opened.error);
    this.#failedLoads = 0;
    if (opened.value.isNew === true) {
      await this.#options.network.grants.begin(opened.value.threadId);
      this.#unusable = undefined;
      this.#replaced = before;
      this.#preface = [];
    }
    this.#loadedIn = backend.value;
    this.#preface = [...this.#preface, ...opened.value.preface];
    if (opened.value.facts !== undefined) {
      this.#facts = opened.value.facts;
      // SECURITY: what Codex tells counts only where the user has said nothing.
      this.models.add(settings.model ?? opened.value.facts.model);
      this.efforts.add(this.effort);
      // A thread that is resumed has kept its mode, and does not tell it.
      this.#isModeOpen = opened.value.isNew !== true;
    }
    const isReplaced = opened.value.isNew === true && before !== undefined;
    return ok({ backend: backend.value, client, threadId: opened.value.threadId, isReplaced });
  }

  /**
   * Loads the thread and uses it, once more where Codex has let it go meanwhile. Errors: as loading,
   * or those of `use`.
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

  /** A thread that ends the app-server, or is never answered for, is given up in the end. */
  #notLoaded(failure: Failure): Result<never, Failure> {
    if (["closed", "timeout"].includes(failure.kind) && this.id !== undefined) {
      this.#failedLoads += 1;
      if (this.#failedLoads >= MAX_LOADS) this.abandon(failure.message);
    }
    return err(failure);
  }

  /** Half of the model's window where it is known, at two characters a token. */
  get #maxChars(): number {
    const window = this.#document.standing.usage?.window ?? TRANSCRIPT_MAX_CHARS;
    return Math.floor(Math.min(TRANSCRIPT_MAX_CHARS, window) / 2 ** this.#halvings);
  }

  /** The app-server is gone. False if the thread was not loaded in it. */
  unload(backend: TurnBackend): boolean {
    if (this.#loadedIn !== backend) return false;
    this.#loadedIn = undefined;
    return true;
  }

  /** Starts a turn and returns its id. Without queries Codex answers anew what it has. */
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
      ...this.#unsaved.of(queries),
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
    return ok(turn.value.turn.id);
  }

  /** The model that the next turn is had with; undefined until Codex has told its default. */
  get model(): string | undefined {
    return this.choice.model ?? this.#facts?.model;
  }

  get effort(): string | undefined {
    return this.choice.effort ?? this.#options.settings.effort ?? this.#facts?.effort;
  }

  /** How the next turn is had, in a word or two for the window's bar. */
  get mode(): string {
    const words = [this.effort, this.choice.plan ? "plan" : undefined];
    return words.filter((it) => it !== undefined).join(" ");
  }

  /** When Codex asks in the next turn. */
  get approvals(): ApprovalPolicy {
    return this.choice.approvals ?? this.#options.settings.approvals;
  }

  /** Where it is loaded; undefined where nothing runs. */
  get loaded(): LoadedThread | undefined {
    const { id } = this;
    if (this.#loadedIn === undefined || id === undefined) return undefined;
    return { backend: this.#loadedIn, client: this.#loadedIn.client, threadId: id };
  }

  /** What Codex told when it loaded the thread. */
  get facts(): ThreadFacts | undefined {
    return this.#facts;
  }

  /** A query is in the thread, and so is what was told before it. */
  heard(): void {
    this.#preface = [];
  }

  /** Gives a query to the running turn. Errors: that turn is over, or is one that cannot be steered. */
  async steer(turnId: string, query: Query): Promise<Result<void, Failure>> {
    const threadId = this.id;
    if (this.#loadedIn === undefined || threadId === undefined)
      return err({ kind: "not_running", message: "No turn is running." });
    const steered = await this.#loadedIn.client.request("turn/steer", {
      threadId,
      expectedTurnId: turnId,
      input: inputsOf([query]),
      ...this.#unsaved.of([query]),
      clientUserMessageId: query.id,
    });
    return steered.ok ? ok() : steered;
  }

  /** Interrupts a turn and, unless the user wants otherwise, ends what it runs; whether it did shows in `turn/completed`. */
  async interrupt(turnId: string): Promise<void> {
    const client = this.#loadedIn?.client;
    const threadId = this.id;
    if (client === undefined || threadId === undefined) return;
    const { log, settings } = this.#options;
    const stopped = await client.request("turn/interrupt", { threadId, turnId });
    if (!stopped.ok) log.warn({ error: stopped.error }, "interrupting failed");
    if (settings.stop_commands !== "always") return;
    // Codex leaves the command running in the background; whoever stops a turn means that too.
    const cleaned = await client.request("thread/backgroundTerminals/clean", { threadId });
    if (!cleaned.ok) log.warn({ error: cleaned.error }, "ending commands failed");
  }
}

/** The efforts that calls of these threads may ask for; undefined where one is left to Codex. */
export function effortsOf(
  threads: readonly { readonly efforts: ReadonlySet<string | undefined> }[],
): ReadonlySet<string> | undefined {
  const all = threads.flatMap(({ efforts }) => [...efforts]);
  const chosen = all.filter((it) => it !== undefined);
  return chosen.length === all.length && all.length > 0 ? new Set(chosen) : undefined;
}
