import { FailedCalls, type ServerNotification, threadOf } from "../codex/messages/index.ts";
import type { Answer, Approval } from "../codex/server-requests/index.ts";
import type { EgressEvent } from "../egress/index.ts";
import type { Log } from "../log.ts";
import type { AuditRecorder } from "./audit-recorder.ts";
import { type Conversation, NO_CONVERSATION } from "./conversation/index.ts";
import { followed } from "./followed.ts";
import { asSubAgentApproval, kept, SubAgents } from "./thread/index.ts";

/** How many notifications of unknown threads are kept; a program inside may forge any number. */
const MAX_EARLY = 100;
/** How many malformed notifications are logged. */
const MAX_INVALID = 100;

/**
 * All that comes from a project's sandbox: finds the conversation that it is about, and records what
 * belongs into the audit log.
 */
export class Inbox {
  readonly #conversations: ReadonlySet<Conversation>;
  readonly #recorder: AuditRecorder;
  readonly #log: Log;
  /** About threads that no conversation has yet: Codex may speak of a thread before it answers. */
  #early: ServerNotification[] = [];
  readonly #agents = new SubAgents();
  readonly #failedCalls = new FailedCalls();
  #invalid = 0;

  constructor(conversations: ReadonlySet<Conversation>, recorder: AuditRecorder, log: Log) {
    this.#conversations = conversations;
    this.#recorder = recorder;
    this.#log = log;
  }

  /** Handles a notification. */
  onNotification(notification: ServerNotification): void {
    if (notification.method === "invalid" && this.#invalid++ < MAX_INVALID)
      this.#log.warn({ ...notification }, "a notification in an unknown form");
    const thread = threadOf(notification);
    const conversation = thread === undefined ? undefined : this.conversationOf(thread);
    this.#recorder.onNotification(notification, conversation?.document.path);
    if (thread === undefined) {
      // It is about no thread: every conversation that has a turn shows it.
      for (const busy of this.#conversations) if (busy.isBusy) busy.onNotification(notification);
      return;
    }
    this.#agents.note(notification);
    const at = followed(notification);
    if (at !== undefined) conversation?.document.showFile(at);
    if (conversation !== undefined) conversation.onNotification(notification);
    else if (this.#handleSubAgentEvent(thread, notification)) return;
    else if (this.#early.push(kept(notification)) > MAX_EARLY) this.#early.shift();
  }

  /** A conversation has this thread from now on: hands on the notifications that came before. */
  flushEarlyNotifications(thread: string): void {
    const flushed = this.#early.filter((early) => threadOf(early) === thread);
    this.#early = this.#early.filter((early) => threadOf(early) !== thread);
    for (const notification of flushed) this.conversationOf(thread)?.onNotification(notification);
  }

  /** Asks the user; a question of no known thread is declined. */
  async ask(threadId: string, approval: Approval): Promise<Answer> {
    const conversation = this.conversationForThread(threadId);
    const root = conversation?.threadId;
    if (conversation === undefined || root === undefined)
      this.#log.warn({ threadId, approval }, "a question of no known thread is declined");
    else if (root !== threadId) {
      const about = this.#agents.itemAskedAbout(threadId, approval, root);
      if (about !== undefined) conversation.document.apply(about);
    }
    const asked = root === threadId ? approval : asSubAgentApproval(approval);
    return this.#recorder.asked(
      approval,
      threadId,
      conversation?.document.path,
      conversation?.approvals.ask(asked) ?? Promise.resolve(NO_CONVERSATION),
    );
  }

  /** Reads Codex's request of the model, the only place where some failed calls can be seen. */
  onModelRequest(request: Readonly<Record<string, unknown>>): void {
    const { thread, failed } = this.#failedCalls.take(request);
    const conversation = failed.length === 0 ? undefined : this.conversationForThread(thread);
    const byAgent = conversation?.threadId !== thread;
    for (const call of failed) conversation?.document.apply({ type: "call_failed", call, byAgent });
  }

  /** Handles a notification from a sub-agent's thread; false if no conversation owns it. */
  #handleSubAgentEvent(thread: string, notification: ServerNotification): boolean {
    const conversation = this.conversationForThread(thread);
    const root = conversation?.threadId;
    if (conversation === undefined || root === undefined) return false;
    const event = this.#agents.eventOf(notification, root);
    if (event !== undefined) conversation.document.apply(event);
    if (notification.method === "serverRequest/resolved")
      conversation.approvals.resolved(notification.params.requestId);
    return true;
  }

  /** The conversation of a thread, or of the thread that it is a sub-agent of. */
  conversationForThread(thread: string): Conversation | undefined {
    const isRoot = (other: string) => this.conversationOf(other) !== undefined;
    const root = this.#agents.rootOf(thread, isRoot);
    return root === undefined ? undefined : this.conversationOf(root);
  }

  /** The conversation of a thread. One that was closed may have been opened again as another. */
  conversationOf(thread: string): Conversation | undefined {
    return [...this.#conversations].find(
      ({ threadId, isClosed }) => threadId === thread && !isClosed,
    );
  }

  /** Shows an event of the way out in the conversations that have a turn. */
  onEgress(event: EgressEvent): void {
    // SECURITY: there can be hundreds of connections a second; the audit log has them, and rotates.
    const isCommon = event.type === "network_allowed" || event.type === "network_done";
    this.#log[isCommon ? "debug" : "info"]({ ...event }, "egress");
    this.#recorder.onEgress(event);
    for (const conversation of this.#conversations)
      if (conversation.isBusy) conversation.network.onEgress(event);
  }
}
