import type { FailedCall, FileUpdateChange, ServerNotification } from "../codex/messages/index.ts";
import type { Approval, Decision } from "../codex/server-requests/index.ts";

/** How a query travels: it starts a turn, is steered into the running one, or waits its turn. */
export type SendMode = "start" | "steer" | "queue";

/** Whether something in the sandbox may reach a host; asked by us, not by Codex. */
export type NetworkQuestion = {
  readonly kind: "network";
  readonly id: string;
  /** `host:port`; SECURITY: chosen inside, printable ASCII, names in punycode. */
  readonly target: string;
  /** What `network.allow` would need to hold. */
  readonly entry: string;
};

/** What the user is asked. */
export type Question = Approval | NetworkQuestion;

/** What the user may answer; "accept_project" to questions about hosts only. */
export type UserDecision = Decision | "accept_project";

/** What happens on our side of the protocol. Times are milliseconds. */
export type LocalEvent =
  /**
   * The user's block `id` was sent. A queued block gets `start` when its turn comes, and so does
   * each of several that start a turn together. With `text`, the query as typed, the block is
   * rewritten where it would break what stands below it. `isAgain`: for the second time, and not by
   * the user. `isAbove`: it has no block, since it stands in the text from an earlier run.
   */
  | {
      readonly type: "sent";
      readonly id: string;
      readonly mode: SendMode;
      readonly text?: string;
      readonly isAgain?: boolean;
      readonly isAbove?: boolean;
    }
  /** The turn failed before or beside Codex: no container, no key, the app-server died. */
  | { readonly type: "turn_failed"; readonly message: string; readonly fix?: string }
  /**
   * A notice; `once` tells it at most once in a conversation. `byCodex` where Codex is the cause of it,
   * or a program that pretends: of such there are few in a turn.
   */
  | {
      readonly type: "note";
      readonly text: string;
      readonly once?: boolean;
      readonly byCodex?: boolean;
    }
  /** A question was declined without asking the user. */
  | { readonly type: "not_asked"; readonly because: NotAsked }
  /** What comes next goes on with the answer that ends the text, from an earlier run. */
  | { readonly type: "goes_on" }
  /** The user ends commands that run on after their turn, by the ids of their items. */
  | { readonly type: "commands_stopped"; readonly ids: readonly string[] }
  /** The user has begun a round without a query: a review, a compaction, another try. */
  | { readonly type: "round" }
  | { readonly type: "approval_requested"; readonly approval: Question }
  | {
      readonly type: "approval_resolved";
      readonly id: string;
      readonly decision: UserDecision;
      readonly reason?: string | undefined;
      /** What the user answered to questions, secrets left out. */
      readonly said?: string | undefined;
      /** Why nobody has answered: then the decision is no one's. */
      readonly unanswered?: string | undefined;
    }
  | {
      readonly type: "network_refused";
      readonly host: string;
      readonly port?: number;
      readonly method?: string;
      /** Completes "access was refused: ". */
      readonly reason: string;
    }
  /** Files were changed that something on the user's machine runs, by what runs them. */
  | {
      readonly type: "host_runs";
      /** Whether that was after the last turn and before this one. */
      readonly between: boolean;
      readonly groups: readonly {
        /** What runs them and when, a sentence without its end. */
        readonly runs: string;
        readonly files: readonly {
          readonly path: string;
          readonly change: string;
          readonly parts: readonly { readonly kind: string; readonly name: string }[];
          readonly to?: string;
        }[];
      }[];
    }
  /** A sub-agent, which has a thread of its own, has changed files, or failed to. */
  | {
      readonly type: "agent_patch";
      readonly id: string;
      readonly changes: readonly FileUpdateChange[];
      readonly status: string;
    }
  /** A call of the model's came to nothing, and Codex tells no item of it. */
  | { readonly type: "call_failed"; readonly call: FailedCall; readonly byAgent: boolean }
  /** Nothing was heard for `ms` from the model, or from Codex while it had nothing to wait for. */
  | { readonly type: "silence"; readonly of: "model" | "codex"; readonly ms: number }
  /** The endpoint asked to wait `ms` before the next request. */
  | { readonly type: "retry_after"; readonly ms: number }
  /** The endpoint has answered a call of the model with this HTTP status. */
  | { readonly type: "model_status"; readonly status: number }
  /** The thread that the conversation goes on in; notifications of others are passed over. */
  | { readonly type: "thread"; readonly id: string };

/** All that the reducer takes: our own events have a `type`, Codex's notifications none. */
export type ChatEvent = ServerNotification | LocalEvent;

/** Why the user is not asked something: it is one of too many, or it cannot be shown whole. */
export type NotAsked = { readonly kind: "many" } | { readonly kind: "long"; readonly why: string };
