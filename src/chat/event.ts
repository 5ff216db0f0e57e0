import type { FailedCall, FileUpdateChange, ServerNotification } from "../codex/messages/index.ts";
import type { Approval, Decision } from "../codex/server-requests/index.ts";

/** How a query is sent: it starts a turn, is steered into the running one, or is queued. */
export type SendMode = "start" | "steer" | "queue";

/**
 * The question whether a program in the sandbox may reach a host; asked by the host, not by Codex.
 */
export type NetworkQuestion = {
  readonly kind: "network";
  readonly id: string;
  /** `host:port`; SECURITY: chosen inside, printable ASCII, names in punycode. */
  readonly target: string;
  /** The entry of `network.allow` that would allow it. */
  readonly entry: string;
};

/** A question to the user. */
export type Question = Approval | NetworkQuestion;

/** The user's decision; "accept_project" only for questions about hosts. */
export type UserDecision = Decision | "accept_project";

/** Events that do not come from Codex. Times are in milliseconds. */
export type LocalEvent =
  /**
   * The user's block `id` was sent. A queued block gets `start` when its turn begins, and so does
   * each of several blocks that start a turn together. With `text`, the query as typed, the block
   * is rewritten if it would break the text below; `contextLine` is the block's last line, which lists
   * the attachments. `isAgain`: sent again, but not by the user. `isAbove`: it has no block, because
   * it is in the text from an earlier run.
   */
  | {
      readonly type: "sent";
      readonly id: string;
      readonly mode: SendMode;
      readonly text?: string;
      readonly contextLine?: string;
      readonly isAgain?: boolean;
      readonly isAbove?: boolean;
    }
  /** The turn failed outside of Codex: no container, no key, the app-server died. */
  | { readonly type: "turn_failed"; readonly message: string; readonly fix?: string }
  /**
   * A notice; with `once` it is shown at most once per conversation. `byCodex`: caused by Codex, or
   * by a program that pretends to be Codex, so their number per turn is limited.
   */
  | {
      readonly type: "note";
      readonly text: string;
      readonly once?: boolean;
      readonly byCodex?: boolean;
    }
  /** A question was declined without asking the user. */
  | { readonly type: "not_asked"; readonly because: NotAsked }
  /** The next output continues the answer at the end of the text, from an earlier run. */
  | { readonly type: "goes_on" }
  /** The user stops commands that outlive their turn, by the ids of their items. */
  | { readonly type: "commands_stopped"; readonly ids: readonly string[] }
  /** The user has started a turn without a query: a review, a compaction, a retry. */
  | { readonly type: "round" }
  | { readonly type: "approval_requested"; readonly approval: Question }
  | {
      readonly type: "approval_resolved";
      readonly id: string;
      readonly decision: UserDecision;
      readonly reason?: string | undefined;
      /** The user's answers to questions, without secrets. */
      readonly said?: string | undefined;
      /** Why nobody has answered; the decision is then not the user's. */
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
  /** Files were changed that the user's machine runs, grouped by what runs them. */
  | {
      readonly type: "host_runs";
      /** Whether they were changed between the last turn and this one. */
      readonly between: boolean;
      readonly groups: readonly {
        /** What runs them and when, as a sentence without a full stop. */
        readonly runs: string;
        readonly files: readonly {
          readonly path: string;
          readonly change: string;
          readonly parts: readonly { readonly kind: string; readonly name: string }[];
          readonly to?: string;
        }[];
      }[];
    }
  /** A sub-agent, which has its own thread, has changed files or failed to. */
  | {
      readonly type: "agent_patch";
      readonly id: string;
      readonly changes: readonly FileUpdateChange[];
      readonly status: string;
    }
  /** The user has changed a patch that was asked about, and these changes were made in its place. */
  | {
      readonly type: "patch_edited";
      readonly id: string;
      readonly changes: readonly FileUpdateChange[];
    }
  /** A tool call of the model failed, and Codex sent no item for it. */
  | { readonly type: "call_failed"; readonly call: FailedCall; readonly byAgent: boolean }
  /** The model, or Codex while it had nothing to wait for, has sent nothing for `ms`. */
  | { readonly type: "silence"; readonly of: "model" | "codex"; readonly ms: number }
  /** The endpoint asked to wait for `ms` before the next request. */
  | { readonly type: "retry_after"; readonly ms: number }
  /** The endpoint answered a model call with this HTTP status. */
  | { readonly type: "model_status"; readonly status: number }
  /** The conversation's thread from now on; notifications of other threads are ignored. */
  | { readonly type: "thread"; readonly id: string };

/** The reducer's input: local events have a `type`, Codex's notifications do not. */
export type ChatEvent = ServerNotification | LocalEvent;

/** Why a question is declined without asking: there are too many, or it cannot be shown in full. */
export type NotAsked = { readonly kind: "many" } | { readonly kind: "long"; readonly why: string };
