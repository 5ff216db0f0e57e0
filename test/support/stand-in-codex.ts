/**
 * Stand-ins for all that a conversation of `src/session/conversation` reaches: its document, its
 * thread, its project, and an app-server behind them that takes queries, asks, ends turns and dies.
 *
 * Whoever plays with them decides when that which takes time settles, and so what settles first. Only
 * what Codex writes keeps its order, since it stands in one stream.
 */
import type { ChatEvent } from "../../src/chat/index.ts";
import type { ServerNotification } from "../../src/codex/messages/index.ts";
import { silentLog } from "../../src/log.ts";
import { err, ok, type Result } from "../../src/result.ts";
import { Conversation } from "../../src/session/conversation/conversation.ts";
import type {
  ConversationEvent,
  DocumentPort,
  ProjectPort,
  ThreadPort,
} from "../../src/session/conversation/ports.ts";
import type { RunState } from "../../src/session/document/index.ts";
import { type Failure, STOPPED } from "../../src/session/failure.ts";
import type { TurnHook } from "../../src/session/hooks/index.ts";
import type { Query } from "../../src/session/query.ts";
import type { LoadedThread } from "../../src/session/thread/index.ts";

const THREAD = "T";

type StandInParts = {
  readonly document: DocumentPort;
  readonly thread: ThreadPort;
  readonly host: ProjectPort;
};

/** Something that goes wrong once, the next time that it can. */
export type Mishap =
  | "backend"
  | "request"
  | "unknown_thread"
  | "steer"
  | "hook_fails"
  | "hook_throws";

/** A turn that runs in Codex, and what it was given and has not put into its thread. */
type CodexTurn = {
  readonly id: string;
  readonly pending: (readonly Query[])[];
  /** The numbers of the requests to the user in it. */
  readonly asked: number[];
};

type Asked = { readonly number: number; answers: number };

/** A conversation in a world of stand-ins, and what can be seen of it from outside. */
export class StandIns {
  readonly #later: (label: string) => Promise<void>;
  readonly conversation: Conversation<StandInParts>;
  /** All that the document was given. */
  readonly events: ChatEvent[] = [];
  readonly winbar: RunState[] = [{ phase: "idle" }];
  readonly emitted: { readonly event: ConversationEvent; readonly data: object }[] = [];
  /** The ids of the queries in Codex's thread, in its order. */
  readonly inThread: string[] = [];
  readonly asked: Asked[] = [];
  /** How often each hook ran before a turn and after it. */
  readonly hooked: { before: number; after: number }[] = [];
  openPasses = 0;
  isClosed = false;
  /** What Codex was asked after the chat was closed, other than to stop. */
  readonly afterClose: string[] = [];
  readonly deleted = new Set<string>();
  readonly mishaps = new Set<Mishap>();
  /** Codex has begun a turn by itself. */
  hasBegun = false;
  /** Codex does not answer to interruptions. */
  isDeaf = false;
  #backend: LoadedThread["backend"] | undefined;
  /** It has died, and the host does not know yet. */
  #isDead = false;
  #turn: CodexTurn | undefined;
  #turns = 0;
  /** Answers that were read and that nobody has dealt with. */
  readonly #read: (() => void)[] = [];
  /** What Codex has written and the host has not read. */
  #stream: { readonly give: () => void; readonly drop: () => void }[] = [];
  /** In the thread, and not told yet: gone where the backend dies first. */
  #untold: (readonly string[])[] = [];

  /** `later` settles when what it is named after is to be over. */
  constructor(later: (label: string) => Promise<void>) {
    this.#later = later;
    const document = this.#document();
    this.conversation = new Conversation<StandInParts>({
      document,
      thread: this.#thread(),
      host: this.#project(),
    });
  }

  get codexRuns(): boolean {
    return this.#turn !== undefined;
  }

  // What Codex does.

  /** Puts what the turn was given into the thread. */
  take(): void {
    for (const queries of this.#turn?.pending.splice(0) ?? []) {
      const ids = queries.map(({ id }) => id);
      this.inThread.push(...ids);
      this.#untold.push(ids);
      const clientId = queries.at(-1)?.id;
      if (clientId === undefined || this.#turn === undefined) continue;
      const item = { type: "userMessage" as const, id: `i${clientId}`, clientId, content: [] };
      const params = { threadId: THREAD, turnId: this.#turn.id, item };
      this.#tell({ method: "item/started", params: { ...params, startedAtMs: null } });
      this.#tell({ method: "item/completed", params: { ...params, completedAtMs: null } });
    }
  }

  end(status: "completed" | "interrupted" | "failed"): void {
    if (this.#turn === undefined) return;
    const { id, asked } = this.#turn;
    this.#turn = undefined;
    // Such a turn is one that Codex has begun by itself, and that has no end in the conversation.
    for (const requestId of this.conversation.isBusy ? [] : asked)
      this.#tell({ method: "serverRequest/resolved", params: { threadId: THREAD, requestId } });
    const error = status === "failed" ? { message: "The model is overloaded." } : null;
    this.#tell({
      method: "turn/completed",
      params: { threadId: THREAD, turn: { id, status, error } },
    });
  }

  /** Asks the user to run a command. */
  ask(): void {
    if (this.#turn === undefined) return;
    const asked: Asked = { number: this.asked.length, answers: 0 };
    this.asked.push(asked);
    this.#turn.asked.push(asked.number);
    const id = `n${asked.number}`;
    const approval = { kind: "command", id, itemId: "c", command: "make" } as const;
    const answered = () => {
      asked.answers += 1;
    };
    this.#stream.push({
      give: () => void this.conversation.approvals.ask(approval).then(answered),
      drop: answered,
    });
    this.#deliver("a request");
  }

  /** Begins a turn that nobody has asked for. */
  beginTurn(): void {
    if (this.#turn === undefined && this.#backend !== undefined && !this.#isDead) {
      this.hasBegun = true;
      this.#begin([]);
    }
  }

  crash(): void {
    const backend = this.#backend;
    if (backend === undefined || this.#isDead) return;
    this.#dies();
    const failure = { kind: "app_server", message: "Codex's app-server ended." };
    void this.#later("the end of the backend").then(() => {
      this.#ended(backend, failure);
    });
  }

  // What the user does.

  /** The question that waits, by the id that the editor knows. */
  get question(): string | undefined {
    const open = new Set<string>();
    for (const event of this.events) {
      if (!("type" in event)) continue;
      if (event.type === "approval_requested") open.add(event.approval.id);
      if (event.type === "approval_resolved") open.delete(event.id);
    }
    return [...open][0];
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.conversation.interrupt();
    void this.conversation.close("The chat was closed before this turn was over.");
  }

  pursueGoal(): void {
    if (this.#backend !== undefined) this.conversation.goal.pursue(this.#backend);
  }

  // The ports.

  #document(): DocumentPort {
    return {
      path: "/s/chats/a.md",
      stateDir: "/s",
      left: "nothing",
      standing: { items: { size: 0 }, turn: { mark: "" } },
      text: () => "",
      asEdited: (queries) => queries.filter(({ id }) => !this.deleted.has(id)),
      apply: (event) => void this.events.push(event),
      setState: (state) => void this.winbar.push(state),
      note: () => {},
      nameAfter: () => this.#later("the file is named"),
      ended: () => this.#later("the file is written"),
      close: () => this.#later("the file is closed"),
      setShown: () => {},
      setMeta: () => {},
      notify: () => {},
      whyNotAsked: () => undefined,
      askApproval: (approval) => {
        this.events.push({ type: "approval_requested", approval });
        return this.#later("the question is shown");
      },
      approvalAnswered: (id, decision) =>
        void this.events.push({ type: "approval_resolved", id, decision }),
    };
  }

  #project(): ProjectPort {
    return {
      root: "/r",
      settings: { limits: { silence_ms: 1e9 } },
      log: silentLog,
      turnHooks: [this.#hook(), this.#hook()],
      prepareBackend: async (onProgress) => {
        onProgress("Starting the sandbox");
        await this.#later("the backend is prepared");
        return undefined;
      },
      renewBackend: async () => {
        await this.#later("the backend is looked at");
        return ok();
      },
      abandonBackend: (failure) => {
        const backend = this.#backend;
        if (backend === undefined || this.#isDead) return;
        this.#dies();
        this.#ended(backend, failure);
      },
      flushEarlyNotifications: () => {},
      runTool: async () => ok(),
      reviewed: () => {},
      filesChanged: () => {},
      filesChanging: () => {},
      emit: (event, data) => void this.emitted.push({ event, data }),
    };
  }

  #hook(): TurnHook {
    const ran = { before: 0, after: 0 };
    this.hooked.push(ran);
    return {
      before: async () => {
        ran.before += 1;
        await this.#later("a hook before the turn");
        if (this.mishaps.delete("hook_throws")) throw new Error("a bug");
        const failure = { kind: "git", message: "The disk is full." };
        return this.mishaps.delete("hook_fails") ? err(failure) : ok();
      },
      after: async () => {
        ran.after += 1;
        await this.#later("a hook after the turn");
        return [];
      },
    };
  }

  #thread(): ThreadPort {
    const world = this;
    return {
      id: THREAD,
      get loaded() {
        return world.#loaded();
      },
      choice: { plan: false },
      model: "m",
      mode: "",
      unusable: undefined,
      isReplacement: false,
      abandon: () => {},
      abandonAsTooLong: () => {},
      reuse: () => {},
      restore: () => {},
      turnCompleted: () => {},
      queryAccepted: () => {},
      unload: () => true,
      use: (use, { signal }) => this.#use(use, signal),
      startTurn: (_, queries) => this.#request("turn/start", () => this.#takeStart(queries)),
      steer: (turnId, query) =>
        this.#request("turn/steer", () => {
          const isRefused = this.mishaps.delete("steer");
          if (this.#turn?.id !== turnId || isRefused)
            return err({ kind: "refused", message: "no such turn" });
          this.#turn.pending.push([query]);
          return ok();
        }),
      prepare: () => {},
      interrupt: async (turnId) => {
        await this.#request("turn/interrupt", () => {
          if (this.#turn?.id === turnId && !this.isDeaf) this.end("interrupted");
          return ok();
        });
      },
    };
  }

  async #use<T>(
    use: (thread: LoadedThread) => Promise<Result<T, Failure>>,
    signal: AbortSignal,
  ): Promise<Result<T, Failure>> {
    for (let tries = 0; ; tries++) {
      await this.#later("the thread is loaded");
      if (signal.aborted) return err(STOPPED);
      if (this.mishaps.delete("backend"))
        return err({ kind: "sandbox", message: "The engine does not run." });
      this.#backend ??= this.#start();
      const loaded = this.#loaded();
      if (loaded === undefined) return err({ kind: "closed", message: "It is gone." });
      const done = await use(loaded);
      if (done.ok || done.error.kind !== "thread_unknown" || tries > 0) return done;
    }
  }

  #start(): LoadedThread["backend"] {
    return {
      notes: [],
      sandboxLabel: "gVisor",
      egress: {
        activeCalls: () => 0,
        allowance: () => ({ renew: () => {}, refusal: () => undefined }),
        beginTurn: () => {
          this.openPasses += 1;
          let isOpen = true;
          return {
            end: () => {
              if (isOpen) this.openPasses -= 1;
              isOpen = false;
            },
          };
        },
      },
    };
  }

  #loaded(): LoadedThread | undefined {
    if (this.#backend === undefined) return undefined;
    const request = (method: string) =>
      this.#request(method, () => {
        if (method === "turn/interrupt") this.end("interrupted");
        if (method === "thread/compact/start") {
          this.end("interrupted");
          this.#begin([]);
        }
        return ok({});
      });
    const client = { request: request as unknown as LoadedThread["client"]["request"] };
    return { backend: this.#backend, client, threadId: THREAD };
  }

  #takeStart(queries: readonly Query[]): Result<string, Failure> {
    if (this.mishaps.delete("unknown_thread"))
      return err({ kind: "thread_unknown", message: "thread not found" });
    if (this.mishaps.delete("request"))
      return err({ kind: "refused", message: "Codex refused turn/start." });
    // Codex steers what comes while a turn runs.
    if (this.#turn === undefined) return ok(this.#begin(queries));
    if (queries.length > 0) this.#turn.pending.push(queries);
    return ok(this.#turn.id);
  }

  #begin(queries: readonly Query[]): string {
    this.#turns += 1;
    const id = `t${this.#turns}`;
    const pending = queries.length === 0 ? [] : [queries];
    this.#turn = { id, pending, asked: [] };
    this.#tell({
      method: "turn/started",
      params: { threadId: THREAD, turn: { id, status: "inProgress" } },
    });
    return id;
  }

  /** A request to the app-server that runs. */
  async #request<T>(method: string, take: () => Result<T, Failure>): Promise<Result<T, Failure>> {
    const begins = ["turn/start", "turn/steer", "thread/compact/start"].includes(method);
    if (this.isClosed && begins) this.afterClose.push(method);
    const backend = this.#backend;
    const closed = { kind: "closed", message: "The connection to Codex's app-server ended." };
    if (backend === undefined || this.#isDead) return err(closed);
    const answer = take();
    return new Promise((resolve) => {
      const give = () => {
        this.#read.push(() => resolve(answer));
        // Notifications behind it may be dealt with before the code that waits for it.
        void this.#later(`an answer to ${method}`).then(() => this.#read.shift()?.());
      };
      this.#stream.push({ give, drop: () => resolve(err(closed)) });
      this.#deliver("an answer");
    });
  }

  #tell(notification: ServerNotification): void {
    this.#stream.push({
      give: () => {
        if (notification.method === "item/completed") this.#untold.shift();
        // A closed chat is no longer in the project, which hands notifications on.
        if (!this.isClosed) this.conversation.onNotification(notification);
      },
      drop: () => {},
    });
    this.#deliver("a notification");
  }

  #deliver(label: string): void {
    const backend = this.#backend;
    void this.#later(label).then(() => {
      if (backend === this.#backend && !this.#isDead) this.#stream.shift()?.give();
    });
  }

  #dies(): void {
    this.#isDead = true;
    this.#turn = undefined;
    for (const { drop } of this.#stream.splice(0)) drop();
    for (const id of this.#untold.splice(0).flat())
      this.inThread.splice(this.inThread.lastIndexOf(id), 1);
  }

  /** The host hears of it, and may start the next. */
  #ended(backend: LoadedThread["backend"], failure: Failure): void {
    this.#isDead = false;
    this.#backend = undefined;
    this.conversation.backendEnded(backend, failure);
  }
}
