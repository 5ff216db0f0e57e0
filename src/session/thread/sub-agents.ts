import { bounded, type ChatEvent, maxAskedChars } from "../../chat/index.ts";
import { type ServerNotification, threadOf } from "../../codex/messages/index.ts";
import type { Approval } from "../../codex/server-requests/index.ts";

/** How many sub-agents, and how many of their items, are remembered: a program inside may forge any number. */
const MAX_AGENTS = 1000;
const MAX_ITEMS = 200;
/** How much of a notification is kept; a question about one that was longer is declined. */
const MAX_KEPT_CHARS = maxAskedChars / 4;
/** Sub-agents may have sub-agents. */
const MAX_DEPTH = 20;

/**
 * The threads that Codex has begun on behalf of others. They have no conversation of their own: their
 * questions are asked in the conversation that they work for, with the item in question.
 *
 * SECURITY: which thread works for which comes from inside. A program that forges it gains nothing but
 * a question in a conversation, and it can forge that as well.
 */
export class SubAgents {
  readonly #parents = new Map<string, string>();
  /** Commands and patches that have begun, by thread and item. */
  readonly #begun = new Map<string, ServerNotification>();
  /** Those that stand in a conversation because a question was about them. */
  readonly #shown = new Set<string>();

  /** Takes any notification, and remembers the sub-agents that it names. */
  note(notification: ServerNotification): void {
    if (notification.method !== "item/started" && notification.method !== "item/completed") return;
    const { item, threadId } = notification.params;
    if (item.type === "collabAgentToolCall" && item.tool === "spawnAgent")
      for (const agent of item.receiverThreadIds)
        remember(this.#parents, agent, threadId, MAX_AGENTS);
  }

  /** The thread that has a conversation and that `thread` works for; undefined where there is none. */
  rootOf(thread: string, isRoot: (thread: string) => boolean): string | undefined {
    let at: string | undefined = thread;
    for (let depth = 0; at !== undefined && depth < MAX_DEPTH; depth++) {
      if (isRoot(at)) return at;
      at = this.#parents.get(at);
    }
    return undefined;
  }

  /**
   * The event that a sub-agent's notification is in the conversation of `root`: the progress of an item
   * that stands there already, or files that it changed without a question; undefined for all else.
   */
  eventOf(notification: ServerNotification, root: string): ChatEvent | undefined {
    const key = keyOf(notification);
    if (key === undefined) return undefined;
    if (notification.method === "item/started") {
      remember(this.#begun, key, kept(notification), MAX_ITEMS);
      return undefined;
    }
    if (!this.#shown.has(key)) return patchOf(key, notification);
    if (notification.method === "item/completed") this.#shown.delete(key);
    return inThread(notification, root);
  }

  /** The item that a sub-agent's question is about, to be shown in the conversation of `root` first. */
  itemAskedAbout(thread: string, approval: Approval, root: string): ServerNotification | undefined {
    if (approval.kind !== "command" && approval.kind !== "patch") return undefined;
    const key = `${thread} ${approval.itemId}`;
    const begun = this.#begun.get(key);
    if (begun === undefined) return undefined;
    if (this.#shown.size < MAX_ITEMS) this.#shown.add(key);
    return inThread(begun, root);
  }
}

/** The files that a sub-agent has changed without a question; undefined for anything else. */
function patchOf(id: string, notification: ServerNotification): ChatEvent | undefined {
  if (notification.method !== "item/completed") return undefined;
  const { item } = notification.params;
  if (item.type !== "fileChange") return undefined;
  return { type: "agent_patch", id, changes: item.changes, status: item.status };
}

/**
 * A notification as it is kept for later: its long values are cut.
 *
 * SECURITY: it then says that it was cut, since a user who is asked about it must see all of it.
 */
export function kept(notification: ServerNotification): ServerNotification {
  const { value, omitted } = bounded(notification, MAX_KEPT_CHARS);
  if (omitted === 0 || value.method === "unknown" || value.method === "invalid") return value;
  return { ...value, isCut: true };
}

/** A sub-agent's question, marked as such. */
export function asSubAgentApproval(approval: Approval): Approval {
  if (approval.kind !== "command" && approval.kind !== "patch") return approval;
  const { reason } = approval;
  const who = "A sub-agent asks";
  return {
    ...approval,
    byAgent: true,
    reason: reason === undefined ? `${who}.` : `${who}: ${reason}`,
  };
}

function remember<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}

/** The command or patch that a notification is about. */
function keyOf(notification: ServerNotification): string | undefined {
  switch (notification.method) {
    case "item/started":
    case "item/completed": {
      const { item } = notification.params;
      const isAsked = item.type === "commandExecution" || item.type === "fileChange";
      return isAsked ? `${threadOf(notification)} ${item.id}` : undefined;
    }
    case "item/commandExecution/outputDelta":
      return `${threadOf(notification)} ${notification.params.itemId}`;
    default:
      return undefined;
  }
}

function inThread(notification: ServerNotification, threadId: string): ServerNotification {
  if (notification.method === "unknown" || notification.method === "invalid") return notification;
  return { ...notification, params: { ...notification.params, threadId } } as ServerNotification;
}
