import { queryOf, type ServerNotification } from "../../codex/messages/index.ts";
import type { Progress } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import { findingsOf, Pictures } from "../document/index.ts";
import {
  BUSY,
  DROPPED,
  type Failure,
  failureOf,
  INTERRUPT_MS,
  NOT_INTERRUPTED,
  STOPPED,
} from "../failure.ts";
import { TurnHookRunner } from "../hooks/index.ts";
import { type Query, sentAs } from "../query.ts";
import { type LoadedThread, type ThreadChoice, ToolCalls } from "../thread/index.ts";
import { Approvals, type UserAnswer } from "./approvals.ts";
import { EventOrder } from "./event-order.ts";
import { Goal } from "./goal.ts";
import { NetworkNotices } from "./network-notices.ts";
import type { ConversationEvent, ConversationParts, LiveParts, StartTurn } from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { TurnBudget } from "./turn-budget.ts";
import { step } from "./turn-machine.ts";
import { startTurn } from "./turn-start.ts";
import {
  endOf,
  IDLE,
  isBusy,
  type TurnEffect,
  type TurnInput,
  unansweredBy,
  winbarOf,
} from "./turn-state.ts";
import { TurnWatchdog } from "./turn-watchdog.ts";
import { cutOff, NOTHING_UNSENT, unansweredAtOpening } from "./unsent.ts";

/**
 * One conversation: a chat buffer on one side, a Codex thread on the other.
 *
 * It decides nothing about its turns: it passes inputs to the turn machine and performs the effects
 * that come back.
 */
export class Conversation<P extends ConversationParts = LiveParts> {
  readonly document: P["document"];
  readonly thread: P["thread"];
  readonly host: P["host"];
  /** The questions that wait for the user. */
  readonly approvals: Approvals;
  /** What Codex may ask the editor, while a turn runs. */
  readonly tools: ToolCalls;
  readonly network: NetworkNotices;
  readonly hooks: TurnHookRunner;
  readonly goal = new Goal((event) => this.document.apply(event));
  readonly budget = new TurnBudget();
  #turn = IDLE;
  #shown = winbarOf(IDLE);
  /** Aborts the start of a turn. */
  #starting = new AbortController();
  /** Aborts what still waits when the conversation is closed. */
  readonly #closing = new AbortController();
  readonly #watchdog = new TurnWatchdog({
    silenceMs: () => this.host.settings.limits.silence_ms,
    isWaiting: () => this.#isWaiting(),
    onSilence: (ms) => this.document.apply({ type: "silence", of: "codex", ms }),
    onDeadline: () => this.host.abandonBackend(NOT_INTERRUPTED),
  });
  readonly #pictures = new Pictures();
  /** Which queries have no answer, and what can be done about that. */
  readonly #recovery: Recovery;
  readonly #events = new EventOrder();

  constructor({ document, thread, host }: P) {
    this.document = document;
    this.thread = thread;
    this.host = host;
    this.#recovery = new Recovery(thread, document);
    this.network = new NetworkNotices(document);
    this.hooks = new TurnHookRunner(host.turnHooks, host.log);
    this.tools = new ToolCalls(host.runTool, () => this.isBusy);
    this.approvals = new Approvals(
      document,
      (asked) => this.#emit("ApprovalRequested", asked),
      (pending) => this.#take({ type: "questions", pending }),
    );
  }

  get threadId(): string | undefined {
    return this.thread.id;
  }

  get isBusy(): boolean {
    return isBusy(this.#turn);
  }

  /** Whether it was closed: notifications about its thread are then for another conversation. */
  get isClosed(): boolean {
    return this.#turn.phase.at === "closed";
  }

  /** The query of a failed turn is gone: there is nothing to send again. */
  forgetFailed(): void {
    this.#recovery.forget();
  }

  /** Shows a query of an earlier run that was never answered. */
  opened(): void {
    if (this.isBusy) return;
    const found = unansweredAtOpening(this.document);
    for (const event of found.events) this.document.apply(event);
    if (found.detail !== undefined) this.#take({ type: "unanswered", detail: found.detail });
  }

  /** Takes over what the user chose, from the next turn on. */
  choose(choice: ThreadChoice): void {
    this.thread.choice = choice;
    const { model, mode } = this.thread;
    if (model !== undefined) this.document.setMeta({ model });
    this.document.setShown({ mode });
  }

  /** Takes a query that the editor has already put into the document as block `query.id`. */
  send(query: Query, mode: "steer" | "queue"): void {
    this.goal.renew();
    this.#recovery.renew();
    this.#take({ type: "query", query, mode });
  }

  /** The user has begun to type: starts what the query will need, so that it need not wait. */
  prepare(): void {
    if (this.isBusy || this.isClosed) return;
    const prepared = this.host.prepareBackend((detail) => this.showWork(detail));
    void prepared
      .then((backend) => {
        if (backend !== undefined && !this.isBusy && !this.isClosed) this.thread.prepare(backend);
      })
      .finally(() => this.showWork(undefined));
  }

  /**
   * Sends again what failed: held queries, or those that Codex has without an answer, or what the
   * text's end shows to be without one since an earlier run.
   */
  retry(): void {
    this.#recovery.renew();
    const retry = this.isBusy ? undefined : this.#recovery.retry(this.#turn.queue.held);
    if (retry === undefined) this.document.notify("info", NOTHING_UNSENT);
    else this.#take({ type: "retry", ...retry });
  }

  /** Begins a turn with another request than a query. Errors: `busy` while one runs. */
  runRequest(request: StartTurn): Result<void, Failure> {
    if (this.isBusy) return err(BUSY);
    this.#recovery.renew();
    this.#take({ type: "request", request });
    return ok();
  }

  /** Interrupts the turn, in whatever phase it is. */
  interrupt(): void {
    this.goal.stop(this.thread.loaded);
    this.#take({ type: "stop" });
  }

  /** Answers a pending question; one that is no longer pending is ignored. */
  answer(id: string, answer: UserAnswer, reason: string | undefined): void {
    const said = reason?.trim() === "" ? undefined : reason;
    const asked = this.approvals.answer(id, answer, said);
    const { phase } = this.#turn;
    if (asked === undefined || phase.at !== "running") return;
    // Of commands and patches Codex knows that cancelling stops the turn.
    const isOwn = (asked.kind === "command" || asked.kind === "patch") && asked.byAgent !== true;
    if (answer.decision === "cancel" && !isOwn) this.interrupt();
    if (answer.decision === "decline" && said !== undefined) void this.tell(id, said);
  }

  /** Tells Codex in the running turn what belongs to an answer. Errors: there is none to be told. */
  async tell(id: string, text: string): Promise<Result<void, Failure>> {
    const { phase } = this.#turn;
    if (phase.at !== "running") return err(STOPPED);
    return this.thread.steer(phase.turnId, { id: `reason:${id}`, text });
  }

  /** Says in the winbar what the start of the turn waits for. */
  showProgress(detail: Progress): void {
    this.#take({ type: "progress", detail });
  }

  /** Takes a notification about this conversation's thread. */
  onNotification(received: ServerNotification): void {
    const { notification, problem } = this.#pictures.keep(received, this.document);
    const query = queryOf(received);
    if (query !== undefined) this.#take({ type: "echoed", id: query });
    this.document.apply(notification);
    if (problem !== undefined) this.document.apply({ type: "note", text: problem, byCodex: true });
    if (this.#turn.phase.at === "running") this.#watchdog.reset();
    this.goal.onNotification(received);
    switch (notification.method) {
      case "turn/started":
        this.#take({ type: "turn_started", turnId: notification.params.turn.id });
        break;
      case "serverRequest/resolved":
        this.approvals.resolved(notification.params.requestId);
        break;
      case "item/completed":
        if (query !== undefined) this.#take({ type: "accepted", id: query });
        if (notification.params.item.type === "exitedReviewMode")
          this.host.reviewed(findingsOf(notification.params.item.review, this.host.root));
        if (["commandExecution", "fileChange"].includes(notification.params.item.type))
          this.host.filesChanging();
        break;
      case "turn/completed": {
        const { turn } = notification.params;
        const end = endOf(turn, this.network.status);
        this.#take({ type: "turn_completed", turnId: turn.id, end });
        break;
      }
      default:
        break;
    }
  }

  /** The backend is gone: the turn ends as failed, with what was received. */
  backendEnded(backend: LoadedThread["backend"], failure: Failure): void {
    if (this.thread.unload(backend)) this.goal.end();
    this.#take({ type: "backend_ended", failure });
    // Also the questions of a turn that this conversation has not adopted.
    this.approvals.cancelAll(unansweredBy({ status: "failed", failure }));
  }

  /** The editor is going away: leaves the document whole and its file written. */
  async close(why: string | undefined, isReopened = false): Promise<void> {
    const isCut = this.isBusy && this.#turn.phase.at !== "ending";
    this.#watchdog.end();
    this.#closing.abort(STOPPED);
    this.#take({ type: "close" });
    this.budget.end();
    this.approvals.close(why ?? "the conversation was closed");
    await this.document.close(
      isCut ? cutOff(why, this.#recovery.isAnswering) : undefined,
      isReopened,
    );
  }

  /**
   * Uses the thread without a turn. Errors: as loading, or those of `use`; `thread_unusable` where
   * the thread cannot be used, since no other takes its place here.
   */
  async withThread<T>(
    use: (thread: LoadedThread) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> {
    const { signal } = this.#closing;
    const onProgress = (detail: Progress) => this.showWork(detail);
    const done = await this.thread.use(use, { signal, onProgress, sending: 0, mayReplace: false });
    this.showWork(undefined);
    return done;
  }

  /** Shows in the winbar what is done while no turn runs; undefined when that is over. */
  showWork(detail: Progress | undefined): void {
    this.#take({ type: "work", detail });
  }

  #take(input: TurnInput): void {
    const { machine, effects } = step(this.#turn, input);
    this.#turn = machine;
    for (const effect of effects) this.#run(effect);
    const shown = winbarOf(this.#turn);
    const isSame = shown?.phase === this.#shown?.phase && shown?.detail === this.#shown?.detail;
    this.#shown = shown;
    if (shown !== undefined && !isSame) this.document.setState(shown);
  }

  #run(effect: TurnEffect): void {
    switch (effect.type) {
      case "start":
        this.#start(effect);
        break;
      case "abort_start":
        this.#starting.abort(STOPPED);
        break;
      case "steer":
        return void this.#steer(effect);
      case "interrupt":
        if (effect.isFirst) this.#watchdog.expectEnd(INTERRUPT_MS);
        return void this.thread.interrupt(effect.turnId);
      case "show":
        this.#show(effect);
        break;
      case "say":
        this.document.apply(effect.event);
        break;
      case "log_failure":
        this.host.log.error({ failure: effect.failure }, "the turn failed");
        break;
      case "ask_to_adopt":
        this.#adopt(effect.turnId);
        break;
      case "turn_runs":
        this.#watchdog.reset();
        this.#emit("TurnStarted", { turnId: effect.turnId });
        break;
      case "queries_accepted":
        this.thread.queryAccepted();
        this.#recovery.accepted(effect.queries);
        this.#emit("QueryHeard", { ids: effect.queries.map(({ id }) => id) });
        break;
      case "turn_over":
        this.#watchdog.end();
        this.budget.end();
        this.approvals.cancelAll(unansweredBy(effect.end));
        break;
      case "judge":
        this.#take({ type: "judged", ...this.#recovery.after(effect.end) });
        break;
      case "end_hooks": {
        const isOver = this.#endHooks(effect.number);
        this.#emit("TurnEnded", effect.end, isOver);
        return;
      }
      case "end_hooks_unseen":
        return void this.hooks.end();
      default:
        effect satisfies never;
    }
  }

  #show({ query, mode }: Pick<Extract<TurnEffect, { type: "show" }>, "query" | "mode">): void {
    this.document.apply(sentAs(query, mode));
  }

  #start(effect: Extract<TurnEffect, { type: "start" }>): void {
    const { number, queries, sections, isAgain, request } = effect;
    const [first] = queries;
    if (this.threadId === undefined && first !== undefined)
      void this.document.nameAfter(first.text);
    for (const query of queries) this.document.apply({ ...sentAs(query, "start"), isAgain });
    this.#recovery.begin(request === undefined);
    if (!isAgain) {
      this.budget.renew();
      this.#pictures.renew();
      this.document.apply({ type: "round" });
    }
    this.#starting = new AbortController();
    const { signal } = this.#starting;
    const ask: StartTurn = async (loaded) => {
      const current = request === undefined ? await this.#recovery.inputs(loaded, queries) : [];
      if (signal.aborted) return err(STOPPED);
      if (current === undefined) return err(DROPPED);
      this.#take({ type: "requested", number, queries: current });
      const turn = await (request?.(loaded) ?? this.thread.startTurn(loaded, current));
      if (!turn.ok) this.#take({ type: "request_refused", number });
      return turn;
    };
    const texts = queries.map(({ text }) => text);
    void startTurn(this, ask, { signal, sending: sections, queries: texts })
      .catch((thrown: unknown) => err(failureOf("turn", "The turn could not be started", thrown)))
      .then((begun) => {
        if (begun.ok) this.#take({ type: "started", number, turnId: begun.value });
        else this.#take({ type: "start_failed", number, failure: begun.error });
      });
  }

  async #steer({ number, turnId, query }: Extract<TurnEffect, { type: "steer" }>): Promise<void> {
    const steered = await this.thread.steer(turnId, query);
    if (steered.ok) return this.#take({ type: "steered", number });
    // The turn has ended meanwhile, or is one that cannot be steered.
    this.host.log.info({ error: steered.error }, "steering was refused");
    this.#take({ type: "steer_refused", number });
  }

  /** A turn that Codex has begun by itself, towards the goal. */
  #adopt(turnId: string): void {
    const pass = this.goal.begin(this.thread.loaded, turnId);
    const { threadId, document } = this;
    if (pass === undefined || threadId === undefined) return;
    this.#recovery.begin(false);
    this.budget.take(pass);
    void this.hooks.begin({ threadId, path: document.path }, this.#closing.signal);
    this.#take({ type: "adopted", turnId });
  }

  async #endHooks(number: number): Promise<void> {
    for (const event of await this.hooks.end()) this.document.apply(event);
    this.host.filesChanged();
    this.#take({ type: "hooks_ended", number });
    await this.document.ended(() => this.isBusy);
  }

  #emit(event: ConversationEvent, data: object, ready?: Promise<void>): void {
    this.#events.emit(() => this.host.emit(event, data), ready);
  }

  /** Whether a running turn has a reason to be silent. */
  #isWaiting(): boolean {
    const { items, turn } = this.document.standing;
    const calls = this.thread.loaded?.backend.egress.activeCalls() ?? 0;
    // The heading may name already what the turn waits for, such as the next try.
    return calls > 0 || this.#turn.questions > 0 || items.size > 0 || turn.mark !== "";
  }
}
