import { FailedCalls, type ServerNotification, threadOf } from "../codex/messages/index.ts";
import type { Answer, Approval } from "../codex/server-requests/index.ts";
import type { EgressEvent } from "../egress/index.ts";
import type { Log } from "../log.ts";
import type { AuditRecorder } from "./audit-recorder.ts";
import { type Conversation, NO_CONVERSATION } from "./conversation/index.ts";
import { asSubAgentApproval, kept, SubAgents } from "./thread/index.ts";

/** How many notifications of unknown threads are kept; a program inside may forge any number. */
const MAX_EARLY = 100;
/** And malformed ones that are logged. */
const MAX_INVALID = 100;

/**
 * What comes from a project's sandbox: finds the conversation that it is about, and has on record
 * what belongs there.
 */
export class Inbox {
  readonly #conversations: ReadonlySet<Conversation>;
  readonly #auditNews: AuditRecorder;
  readonly #log: Log;
  /** Told of threads that no conversation has, or has yet: Codex may tell of one before it answers. */
  #early: ServerNotification[] = [];
  readonly #agents = new SubAgents();
  readonly #failedCalls = new FailedCalls();
  #invalid = 0;

  constructor(conversations: ReadonlySet<Conversation>, auditNews: AuditRecorder, log: Log) {
    this.#conversations = conversations;
    this.#auditNews = auditNews;
    this.#log = log;
  }

  /** Takes a notification. */
  notified(notification: ServerNotification): void {
    if (notification.method === "invalid" && this.#invalid++ < MAX_INVALID)
      this.#log.warn({ ...notification }, "a notification in an unknown form");
    const thread = threadOf(notification);
    const known = thread === undefined ? undefined : this.of(thread);
    this.#auditNews.onNotification(notification, known?.document.path);
    if (thread === undefined) {
      // About no thread: told where something is going on.
      for (const conversation of this.#conversations)
        if (conversation.isBusy) conversation.onNotification(notification);
      return;
    }
    this.#agents.note(notification);
    if (known !== undefined) known.onNotification(notification);
    else if (this.#toldOfAgent(thread, notification)) return;
    else if (this.#early.push(kept(notification)) > MAX_EARLY) this.#early.shift();
  }

  /** A thread has got its conversation: hands on what was told of it before. */
  flushEarlyNotifications(thread: string): void {
    const told = this.#early.filter((it) => threadOf(it) === thread);
    this.#early = this.#early.filter((it) => threadOf(it) !== thread);
    for (const notification of told) this.of(thread)?.onNotification(notification);
  }

  /** Takes a question; one of no known thread is declined. */
  async asked(threadId: string, approval: Approval): Promise<Answer> {
    const conversation = this.workedFor(threadId);
    const root = conversation?.threadId;
    if (conversation === undefined || root === undefined)
      this.#log.warn({ threadId, approval }, "a question of no known thread is declined");
    else if (root !== threadId) {
      const about = this.#agents.asked(threadId, approval, root);
      if (about !== undefined) conversation.document.apply(about);
    }
    const asked = root === threadId ? approval : asSubAgentApproval(approval);
    return this.#auditNews.asked(
      approval,
      threadId,
      conversation?.document.path,
      conversation?.approvals.ask(asked) ?? Promise.resolve(NO_CONVERSATION),
    );
  }

  /** Takes what Codex asks the model, which shows what it tells nothing else of. */
  requested(request: Readonly<Record<string, unknown>>): void {
    const { thread, failed } = this.#failedCalls.take(request);
    const conversation = failed.length === 0 ? undefined : this.workedFor(thread);
    const byAgent = conversation?.threadId !== thread;
    for (const call of failed) conversation?.document.apply({ type: "call_failed", call, byAgent });
  }

  /** Takes what is told of a sub-agent's thread; false where it is none's. */
  #toldOfAgent(thread: string, notification: ServerNotification): boolean {
    const conversation = this.workedFor(thread);
    const root = conversation?.threadId;
    if (conversation === undefined || root === undefined) return false;
    const told = this.#agents.told(notification, root);
    if (told !== undefined) conversation.document.apply(told);
    if (notification.method === "serverRequest/resolved")
      conversation.approvals.resolved(notification.params.requestId);
    return true;
  }

  /** The conversation of a thread, or of the one that it is a sub-agent of. */
  workedFor(thread: string): Conversation | undefined {
    const root = this.#agents.rootOf(thread, (it) => this.of(it) !== undefined);
    return root === undefined ? undefined : this.of(root);
  }

  /** The conversation of a thread. */
  of(thread: string): Conversation | undefined {
    return [...this.#conversations].find((conversation) => conversation.threadId === thread);
  }

  /** Tells what happened on the way out to the conversations whose turn runs. */
  egress(event: EgressEvent): void {
    // SECURITY: of connections there can be hundreds a second; the audit log has them, and rotates.
    const isCommon = event.type === "network_allowed" || event.type === "network_done";
    this.#log[isCommon ? "debug" : "info"]({ ...event }, "egress");
    this.#auditNews.onEgress(event);
    for (const conversation of this.#conversations)
      if (conversation.isBusy) conversation.network.onEgress(event);
  }
}
