import { queryOf, type ServerNotification } from "../../codex/messages/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Backend } from "../backend/index.ts";
import { findingsOf, type LiveDocument, Pictures } from "../document/index.ts";
import { BUSY, DROPPED, type Failure, failed, NOT_TAKEN, STOPPED } from "../failure.ts";
import { TurnHookRunner } from "../hooks/index.ts";
import type { Query } from "../query.ts";
import { type LoadedThread, type ThreadChoice, ThreadHandle, ToolCalls } from "../thread/index.ts";
import { Approvals, type UserAnswer } from "./approvals.ts";
import { EventOrder } from "./event-order.ts";
import { Goal } from "./goal.ts";
import { InterruptTimer } from "./interruption.ts";
import { NetworkNotices } from "./network-notices.ts";
import {
  type ConversationEvent,
  endOf,
  type ProjectPort,
  type StartTurn,
  stateAfter,
  type TurnEnd,
  unansweredBy,
} from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { SendQueue } from "./send-queue.ts";
import { TurnBudget } from "./turn-budget.ts";
import { startTurn } from "./turn-start.ts";
import {
  deliveryOf,
  inDocumentOrder,
  isStopping,
  type Round,
  sentAs,
  startsNextTurn,
} from "./turn-state.ts";
import { TurnWatchdog } from "./turn-watchdog.ts";
import { cutOff, heldBack, NOTHING_UNSENT, showUnsent } from "./unsent.ts";

/** One conversation: a chat buffer on one side, a Codex thread on the other. */
export class Conversation {
  readonly document: LiveDocument;
  readonly thread: ThreadHandle;
  readonly host: ProjectPort;
  /** The questions that wait for the user. */
  readonly approvals: Approvals;
  #round: Round = { phase: "idle" };
  /** What Codex may ask the editor, while a turn runs. */
  readonly tools: ToolCalls;
  readonly network: NetworkNotices;
  readonly rites: TurnHookRunner;
  readonly #watchdog = new TurnWatchdog({
    silenceMs: () => this.host.settings.limits.silence_ms,
    isWaiting: () => this.#isWaiting(),
    onSilence: (ms) => this.document.apply({ type: "silence", of: "codex", ms }),
  });
  readonly #outbox = new SendQueue();
  readonly #pictures = new Pictures();
  readonly goal = new Goal((event) => this.document.apply(event));
  /** Which queries have no answer, and what can be done about that. */
  readonly #recovery: Recovery;
  readonly budget = new TurnBudget();
  readonly #events = new EventOrder();
  readonly #interruption: InterruptTimer;
  /** Aborts what still waits when the conversation is closed. */
  readonly #closing = new AbortController();

  constructor(document: LiveDocument, host: ProjectPort) {
    this.document = document;
    this.host = host;
    this.thread = new ThreadHandle(document, host);
    this.#recovery = new Recovery(this.thread, document);
    this.#interruption = new InterruptTimer(host.abandonBackend);
    this.network = new NetworkNotices(document);
    this.rites = new TurnHookRunner(host.aroundTurn, host.log);
    this.tools = new ToolCalls(host.runTool, () => this.isBusy);
    this.approvals = new Approvals(
      document,
      (asked) => this.#emit("ApprovalRequested", asked),
      () => this.#showState(),
    );
  }

  get threadId(): string | undefined {
    return this.thread.id;
  }

  /** The query of a failed turn is gone: there is nothing to send again. */
  forgetFailed(): void {
    this.#recovery.forget();
  }

  /** Shows a query of an earlier run that was never answered. */
  opened(): void {
    if (!this.isBusy) showUnsent(this.document);
  }

  /** Takes over what the user chose, from the next turn on. */
  choose(choice: ThreadChoice): void {
    this.thread.choice = choice;
    const { model, mode } = this.thread;
    if (model !== undefined) this.document.setMeta({ model });
    this.document.setShown({ mode });
  }

  get isBusy(): boolean {
    return this.#round.phase !== "idle";
  }

  /** Takes a query that the editor has already put into the document as block `query.id`. */
  send(query: Query, mode: "steer" | "queue"): void {
    this.goal.renew();
    this.#recovery.renew();
    switch (deliveryOf(this.#round, mode)) {
      case "start":
        this.#send([...this.#outbox.takeHeldByUser(), query]);
        break;
      case "steer":
        void this.#steer(query);
        break;
      case "wait":
        this.#wait(isStopping(this.#round) ? { ...query, isAfterStop: true } : query);
    }
  }

  /**
   * Sends again what failed: held queries, or those that Codex has without an answer, or what the
   * text's end shows to be without one since an earlier run.
   */
  retry(): void {
    this.#recovery.renew();
    const retry = this.isBusy ? undefined : this.#recovery.retry(this.#outbox.takeHeldByUser());
    if (retry === undefined) this.document.notify("info", NOTHING_UNSENT);
    else this.#send(retry.queries, retry.sections);
  }

  /** Interrupts the round, in whatever phase it is. */
  interrupt(): void {
    const round = this.#round;
    this.goal.stop(this.thread.loaded);
    if (round.phase === "starting") round.abort.abort(STOPPED);
    if (round.phase !== "running") return;
    this.#round = { phase: "stopping", turnId: round.turnId };
    this.#interruption.begin();
    void this.thread.interrupt(round.turnId);
  }

  /** Answers a pending question; one that is no longer pending is ignored. */
  answer(id: string, answer: UserAnswer, reason: string | undefined): void {
    const said = reason?.trim() === "" ? undefined : reason;
    const asked = this.approvals.answer(id, answer, said);
    if (asked === undefined || this.#round.phase !== "running") return;
    // Of commands and patches Codex knows that cancelling stops the turn.
    const isOwn = (asked.kind === "command" || asked.kind === "patch") && asked.byAgent !== true;
    if (answer.decision === "cancel" && !isOwn) this.interrupt();
    if (answer.decision === "decline" && said !== undefined)
      void this.#steerNow({ id: `reason:${id}`, text: said });
  }

  /** Takes a notification about this conversation's thread. */
  onNotification(told: ServerNotification): void {
    const { notification, problem } = this.#pictures.keep(told, this.document);
    this.#outbox.placed(queryOf(told));
    this.document.apply(notification);
    if (problem !== undefined) this.document.apply({ type: "note", text: problem, byCodex: true });
    if (this.#round.phase === "running") this.#watchdog.reset();
    this.goal.onNotification(told);
    switch (notification.method) {
      case "turn/started":
        this.#adopt(notification.params.turn.id);
        this.#started(notification.params.turn.id);
        break;
      case "serverRequest/resolved":
        this.approvals.resolved(notification.params.requestId);
        break;
      case "item/completed":
        this.#heard(queryOf(told));
        if (notification.params.item.type === "exitedReviewMode")
          this.host.reviewed(findingsOf(notification.params.item.review, this.host.root));
        if (["commandExecution", "fileChange"].includes(notification.params.item.type))
          this.host.filesChanging();
        break;
      case "turn/completed":
        this.#ended(endOf(notification.params.turn, this.network.status));
        break;
      default:
        break;
    }
  }

  /** The backend is gone: closes the round as failed, with what was received. */
  backendEnded(backend: Backend, failure: Failure): void {
    if (this.thread.unload(backend)) this.goal.end();
    if (this.#round.phase === "running" || this.#round.phase === "stopping")
      this.#fail(failure, []);
  }

  /** The editor is going away: leaves the document whole and its file written. */
  async close(why: string | undefined, isReopened = false): Promise<void> {
    this.#interruption.end();
    this.#closing.abort(STOPPED);
    if (this.#round.phase === "starting") this.#round.abort.abort(STOPPED);
    this.budget.end();
    this.approvals.cancelAll(why ?? "the conversation was closed");
    const isCut = this.isBusy && this.#round.phase !== "ending";
    await this.document.close(
      isCut ? cutOff(why, this.#recovery.isAnswering) : undefined,
      isReopened,
    );
  }

  #wait(query: Query): void {
    this.#outbox.wait(query);
    this.document.apply(sentAs(query, "queue"));
    this.#showState();
  }

  /**
   * Starts a turn with these queries; with none, Codex answers anew what it has. `sections` is in how
   * many they stand at the text's end.
   */
  #send(queries: readonly Query[], sections = queries.length, isForUs = false): void {
    if (this.threadId === undefined && queries[0] !== undefined)
      void this.document.nameAfter(queries[0].text);
    const isAgain = this.#outbox.begin(queries) || isForUs;
    for (const query of queries) this.document.apply({ ...sentAs(query, "start"), isAgain });
    const start: StartTurn = async (loaded) => {
      const current = await this.#recovery.inputs(loaded, queries);
      if (current === undefined) return err(DROPPED);
      this.#outbox.give(current);
      const turn = await this.thread.startTurn(loaded, current);
      if (!turn.ok) this.#outbox.takeBack(current);
      return turn;
    };
    this.#recovery.begin(true);
    this.#run(start, queries, isAgain, sections);
  }

  /** Has a round that begins with another request than a query. Errors: `busy` while one runs. */
  runRequest(start: StartTurn): Result<void, Failure> {
    if (this.isBusy) return err(BUSY);
    this.#recovery.renew();
    this.#recovery.begin(false);
    this.#run(start, [], false, 0);
    return ok();
  }

  /** `isAgain`: nothing but what the user has had a turn begun for already. */
  #run(start: StartTurn, queries: readonly Query[], isAgain: boolean, sending: number): void {
    const abort = new AbortController();
    this.#round = { phase: "starting", abort };
    if (!isAgain) {
      this.budget.renew();
      this.#pictures.renew();
      this.document.apply({ type: "round" });
    }
    this.document.setState({ phase: "starting" });
    void startTurn(this, start, { signal: abort.signal, sending }).then((begun) => {
      if (!begun.ok) this.#fail(begun.error, queries);
      else if (begun.value !== undefined) this.#started(begun.value);
    });
  }

  /**
   * Asks something of the thread outside of a round. Errors: as loading, or those of `use`;
   * `thread_unusable` where the thread cannot be used, since no other takes its place here.
   */
  async withThread<T>(
    use: (thread: LoadedThread) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> {
    const { signal } = this.#closing;
    const onProgress = (detail: string) => {
      if (!this.isBusy) this.document.setState({ phase: "starting", detail });
    };
    const done = await this.thread.use(use, { signal, onProgress, sending: 0, mayReplace: false });
    this.#showState();
    return done;
  }

  /** A turn that Codex has begun by itself, towards the goal. */
  #adopt(turnId: string): void {
    if (this.#round.phase !== "idle" && this.#round.phase !== "ending") return;
    const pass = this.goal.begin(this.thread.loaded, turnId);
    if (pass === undefined) return;
    this.#round = { phase: "starting", abort: new AbortController() };
    this.#recovery.begin(false);
    this.budget.take(pass);
    const { threadId, document } = this;
    if (threadId !== undefined)
      void this.rites.begin({ threadId, path: document.path }, this.#closing.signal);
  }

  /** The turn's id is known, from the response or from the notification, whichever came first. */
  #started(turnId: string): void {
    // Codex refuses to interrupt a turn that it has answered for and not begun yet.
    if (this.#round.phase === "stopping" && this.#round.turnId === turnId)
      void this.thread.interrupt(turnId);
    if (this.#round.phase !== "starting") return;
    const stopped = this.#round.abort.signal.aborted;
    this.#round = { phase: "running", turnId };
    this.#watchdog.reset();
    this.document.setState({ phase: "running" });
    this.#emit("TurnStarted", { turnId });
    if (stopped) this.interrupt();
    // Typed while the sandbox was starting: meant for this very turn.
    for (const query of this.#outbox.takeUnqueued()) void this.#steer(query);
  }

  /** The query is in the thread, and with it what came before it. */
  #heard(clientId: string | undefined): void {
    const queries = this.#outbox.heard(clientId);
    if (queries === undefined) return;
    this.thread.heard();
    this.#recovery.heard(queries);
    this.#emit("QueryHeard", { ids: queries.map((it) => it.id) });
  }

  async #steer(query: Query): Promise<void> {
    const given = [query];
    const place = this.#outbox.give(given, () => this.document.apply(sentAs(query, "steer")));
    const steered = await this.#steerNow(query);
    if (steered.ok) return place();
    // The end of the turn, where it came first, has taken the query over.
    if (!this.#outbox.takeBack(given)) return;
    // The turn ended meanwhile, or is one that cannot be steered.
    this.host.log.info({ error: steered.error }, "steering was refused");
    if (this.#round.phase === "idle") this.#send([...this.#outbox.takeHeld(), query]);
    else this.#wait(query);
  }

  async #steerNow(query: Query): Promise<Result<void, Failure>> {
    if (this.#round.phase !== "running")
      return err({ kind: "not_running", message: "No turn is running." });
    return this.thread.steer(this.#round.turnId, query);
  }

  #fail(failure: Failure, unsent: readonly Query[]): void {
    if (failure.kind === DROPPED.kind) {
      this.#ended({ status: "interrupted" });
      return;
    }
    this.#outbox.hold(unsent);
    if (failure.kind === "stopped") {
      this.document.apply({ type: "note", text: "Stopped before it was sent." });
      this.#ended({ status: "interrupted" });
      return;
    }
    this.host.log.error({ failure }, "the turn failed");
    this.document.apply(failed(failure));
    this.#ended({ status: "failed", failure });
  }

  #ended(told: TurnEnd): void {
    if (this.#round.phase === "idle" || this.#round.phase === "ending") return;
    this.#interruption.end();
    this.#watchdog.end();
    this.budget.end();
    this.approvals.cancelAll(unansweredBy(told));
    const ending: Round = { phase: "ending" };
    this.#round = ending;
    const isLost = this.#outbox.isLost(told);
    if (isLost) this.document.apply(failed(NOT_TAKEN));
    const { end, again } = isLost
      ? { end: { status: "failed", failure: NOT_TAKEN } as const, again: [] }
      : this.#recovery.after(told);
    const waited = [...this.#outbox.takeUnheard(), ...this.#outbox.takeWaiting()];
    const isNext = again.length > 0 || waited.some((it) => startsNextTurn(it, end));
    if (!isNext) this.#outbox.hold(waited);
    if (!isNext && waited.length > 0) this.document.apply(heldBack);
    const over = this.rites.end().then((events) => {
      for (const event of events) this.document.apply(event);
      this.#over(ending, end, again, isNext ? waited : []);
      return this.document.ended(() => this.isBusy);
    });
    this.#emit("TurnEnded", end, over);
  }

  /** All is said of the round: what was typed meanwhile becomes the next. */
  #over(ending: Round, end: TurnEnd, again: readonly Query[], waited: readonly Query[]): void {
    this.host.filesChanged();
    const next = [...again, ...inDocumentOrder([...waited, ...this.#outbox.takeWaiting()])];
    if (this.#round !== ending) {
      // Codex has begun another turn by itself, and maybe ended it: it is sent after that one.
      for (const query of next) this.#outbox.wait(query);
      return;
    }
    this.#round = { phase: "idle" };
    this.#showState(end);
    const held = end.status === "completed" || next.length === 0 ? [] : this.#outbox.takeHeld();
    if (next.length > 0) this.#send([...held, ...next], undefined, again.length > 0);
  }

  #emit(event: ConversationEvent, data: object, ready?: Promise<void>): void {
    this.#events.tell(() => this.host.emit(event, data), ready);
  }

  #showState(end?: TurnEnd): void {
    if (this.#round.phase === "running" && this.approvals.size === 0)
      this.document.setState({ phase: "running" });
    if (this.#round.phase !== "idle") return;
    this.document.setState(stateAfter(end));
  }

  /** Whether a running turn has a reason to be silent. */
  #isWaiting(): boolean {
    const { items, turn } = this.document.standing;
    const calls = this.thread.loaded?.backend.egress.activeCalls() ?? 0;
    // The heading may name already what the turn waits for, such as the next try.
    return calls > 0 || this.approvals.size > 0 || items.size > 0 || turn.mark !== "";
  }
}
