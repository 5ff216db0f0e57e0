import { basename } from "node:path";
import type { Audit, AuditEntry } from "../audit/index.ts";
import type { NetworkQuestion, UserDecision } from "../chat/index.ts";
import { type ServerNotification, threadOf } from "../codex/messages/index.ts";
import type { Answer, Approval } from "../codex/server-requests/index.ts";
import type { EgressEvent } from "../egress/index.ts";
import type { GivenAnswer } from "./answer.ts";
import { approvalTitle } from "./conversation/index.ts";

/** How many unfinished commands or calls are remembered; a program inside may forge any number. */
const MAX_OPEN = 1000;
/** How much of a command is remembered: more than a line of the log can hold. */
const MAX_COMMAND_CHARS = 4000;

type Item = Extract<ServerNotification, { method: "item/completed" }>["params"]["item"];
type CommandItem = Extract<Item, { type: "commandExecution" }>;
type Command = Extract<AuditEntry, { event: "command" }>;
type ModelEvent = Extract<EgressEvent, { type: `model_${string}` }>;

/** Translates Codex's notifications and egress events into entries of the audit log. */
export class AuditRecorder {
  readonly #audit: Audit;
  /** Commands whose end has not been reported, by item id. */
  readonly #running = new Map<string, Command>();
  readonly #requests = new Map<number, { bytes?: number; status?: number }>();

  constructor(audit: Audit) {
    this.#audit = audit;
  }

  /** Takes a notification. SECURITY: any of it may be forged; it is recorded as it came. */
  onNotification(notification: ServerNotification, chatPath: string | undefined): void {
    const place = { thread: threadOf(notification), ...(chatPath && { chat: basename(chatPath) }) };
    switch (notification.method) {
      case "item/started":
        if (notification.params.item.type === "commandExecution" && this.#running.size < MAX_OPEN)
          this.#running.set(notification.params.item.id, {
            ...place,
            ...commandOf(notification.params.item),
            status: "unfinished",
          });
        break;
      case "item/completed":
        this.#completed(notification.params.item, place);
        break;
      case "turn/completed":
        this.unfinished(place.thread);
        break;
      default:
        break;
    }
  }

  /** Records commands still open as "unfinished": those of one thread, or all. */
  unfinished(thread?: string): void {
    for (const [id, command] of this.#running) {
      if (thread !== undefined && command.thread !== thread) continue;
      this.#running.delete(id);
      this.#audit.record(command);
    }
  }

  /** Records the answer to an approval, once there is one. */
  async asked(
    approval: Approval,
    thread: string,
    chatPath: string | undefined,
    answer: Promise<GivenAnswer<Answer>>,
  ): Promise<GivenAnswer<Answer>> {
    const since = performance.now();
    const answered = await answer;
    this.#answered(approval.kind, aboutOf(approval), answered, { thread, chatPath, since });
    return answered;
  }

  /** Records the answer to a question about a host, once there is one. */
  async askedHost(
    { kind, target }: NetworkQuestion,
    thread: string,
    chatPath: string | undefined,
    answer: Promise<GivenAnswer<{ readonly decision: UserDecision }>>,
  ): Promise<GivenAnswer<{ readonly decision: UserDecision }>> {
    const since = performance.now();
    const answered = await answer;
    this.#answered(kind, target, answered, { thread, chatPath, since });
    return answered;
  }

  #answered(
    asked: string,
    about: string,
    { decision, by, why }: GivenAnswer<{ readonly decision: UserDecision }>,
    on: { readonly thread: string; readonly chatPath: string | undefined; readonly since: number },
  ): void {
    this.#audit.record({
      event: "approval",
      thread: on.thread,
      ...(on.chatPath && { chat: basename(on.chatPath) }),
      asked,
      about,
      decision,
      by,
      reason: why,
      ms: Math.round(performance.now() - on.since),
    });
  }

  /** Records a request that is always declined, without asking the user. */
  fixed(thread: string, asked: string, about: string, chatPath: string | undefined): void {
    this.#audit.record({
      event: "approval",
      thread,
      ...(chatPath && { chat: basename(chatPath) }),
      asked,
      about,
      decision: "decline",
      by: "rule",
      reason: "this is granted to nobody",
    });
  }

  /** Takes an egress event; a model call gets one entry, at its end. */
  onEgress(event: EgressEvent): void {
    switch (event.type) {
      case "network_refused": {
        const { type: _, ...refused } = event;
        this.#audit.record({ event: "network", decision: "refused", ...refused });
        break;
      }
      case "network_allowed": {
        const { type: _, id: __, ...allowed } = event;
        this.#audit.record({ event: "network", decision: "allowed", ...allowed });
        break;
      }
      case "network_done": {
        const { type: _, id: __, cut: reason, ...ended } = event;
        this.#audit.record({ event: "network", decision: "ended", ...ended, reason });
        break;
      }
      case "model_request":
        if (this.#requests.size < MAX_OPEN) this.#requests.set(event.id, { bytes: event.bytes });
        break;
      case "model_response": {
        const request = this.#requests.get(event.id);
        if (request !== undefined) request.status = event.status;
        break;
      }
      case "model_done":
      case "model_aborted":
      case "model_failed":
        this.#modelEnd(event);
        break;
      case "model_refused": {
        const { reason, omitted } = event;
        this.#audit.record({ event: "model_request", outcome: "refused", reason, omitted });
        break;
      }
      default:
        break;
    }
  }

  #completed(item: Item, place: { readonly thread: string | undefined }): void {
    if (item.type === "commandExecution") {
      this.#running.delete(item.id);
      this.#audit.record({ ...place, ...commandOf(item) });
    } else if (item.type === "fileChange") {
      const files = item.changes.map(({ path, kind }) => ({ path, change: kind.type }));
      this.#audit.record({ ...place, event: "patch", files, status: item.status });
    }
  }

  #modelEnd(
    event: Extract<ModelEvent, { type: "model_done" | "model_aborted" | "model_failed" }>,
  ): void {
    const { bytes, status } = this.#requests.get(event.id) ?? {};
    this.#requests.delete(event.id);
    const sizes = { bytesOut: bytes, status };
    // The endpoint's error message is left out: the user sees it in the conversation.
    if (event.type === "model_failed")
      this.#audit.record({
        event: "model_request",
        outcome: "failed",
        ...sizes,
        status: event.status ?? status,
        reason: event.kind,
      });
    else
      this.#audit.record({
        event: "model_request",
        outcome: event.type === "model_done" ? "done" : "aborted",
        ...sizes,
        bytesIn: event.bytesIn,
        tokens: event.usage?.total,
        ms: Math.round(event.ms),
        reason: event.type === "model_aborted" ? event.by : undefined,
      });
  }
}

function commandOf(item: CommandItem): Command {
  const { command, cwd, source, status, exitCode, durationMs, aggregatedOutput } = item;
  return {
    event: "command",
    command: cut(command),
    cwd: cut(cwd),
    source,
    status,
    exitCode: exitCode ?? undefined,
    ms: durationMs ?? undefined,
    outputBytes: aggregatedOutput == null ? undefined : Buffer.byteLength(aggregatedOutput),
  };
}

/** Copies the text, since a substring would keep all of it in memory. */
function cut(text: string): string {
  if (text.length <= MAX_COMMAND_CHARS) return text;
  return Buffer.from(text.slice(0, MAX_COMMAND_CHARS)).toString();
}

function aboutOf(approval: Approval): string {
  switch (approval.kind) {
    case "command":
      return approval.network === undefined
        ? (approval.command ?? "")
        : `${approval.network.protocol} ${approval.network.host}`;
    case "patch":
      return approval.grantRoot ?? approval.reason ?? "";
    case "questions":
    case "tool":
      return approvalTitle(approval);
    case "page":
      return approval.url;
    default:
      return approval satisfies never;
  }
}
