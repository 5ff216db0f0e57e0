import {
  type NetworkQuestion,
  type Question,
  type UserDecision,
  unwrapShell,
} from "../../chat/index.ts";
import {
  type Answer,
  type Approval,
  approvalId,
  type Field,
  type FieldAnswer,
} from "../../codex/server-requests/index.ts";
import { answeredByNobody, type GivenAnswer } from "../answer.ts";
import { allowedDecisions } from "../document/index.ts";
import type { QuestionPort } from "./ports.ts";

/** An answer as the editor sends it. */
export type UserAnswer = Omit<Answer, "decision"> & { readonly decision: UserDecision };

/** The number of questions so far, in all conversations. */
let questions = 0;
/** The answer to a question of a thread that no conversation has. */
export const NO_CONVERSATION = answeredByNobody("decline", "no conversation has this thread");
/** Why a question is declined that cannot be shown to the user as it is. */
const NOT_SHOWN = "the question could not be shown in full, or there were too many";
/** Why a question is withdrawn when another one has come under its name. */
export const CLASH = "two questions have the same id, so an answer could go to the wrong one";

/** A question about a patch that the user answers with a patch of their own. */
export type HeldPatch = {
  readonly decline: (reason: string) => void;
  /** It can be answered by others again. */
  readonly letGo: () => void;
};

type Pending = {
  /** As it stands in the document, under an id that no other question has had. */
  readonly approval: Question;
  /** The id that it came with. */
  readonly name: string;
  readonly resolve: (answer: GivenAnswer<UserAnswer>) => void;
  /** The user's own patch is being applied in the place of this one: no other answer counts. */
  isHeld: boolean;
};

/**
 * The questions of one conversation that wait for the user.
 *
 * Every request from Codex is answered exactly once: by the user, or with "cancel" when its turn
 * ends first. Codex has no time-out of its own (observed in 0.169).
 */
export class Approvals {
  readonly #document: QuestionPort;
  readonly #onAsked: (asked: { readonly id: string; readonly title: string }) => void;
  readonly #onPending: (count: number) => void;
  readonly #pending = new Map<string, Pending>();
  /** Why nobody answers any more. */
  #closed: string | undefined;

  /**
   * `onAsked` is called when the question stands in the buffer and can be answered, `onPending` with
   * the number of questions that wait for the user, when it changes other than by `cancelAll`.
   */
  constructor(
    document: QuestionPort,
    onAsked: (asked: { readonly id: string; readonly title: string }) => void,
    onPending: (count: number) => void,
  ) {
    this.#document = document;
    this.#onAsked = onAsked;
    this.#onPending = onPending;
  }

  /** Puts the question into the document and resolves with the answer. */
  async ask(approval: Approval): Promise<GivenAnswer<Answer>> {
    const { decision, ...rest } = await this.#ask(approval);
    // `answer` lets none through that was not offered, and this one is not.
    return { decision: decision === "accept_project" ? "accept_session" : decision, ...rest };
  }

  /** The same for a question about a host. */
  askNetwork(question: NetworkQuestion): Promise<GivenAnswer<{ readonly decision: UserDecision }>> {
    return this.#ask(question);
  }

  /**
   * SECURITY: ids repeat, for instance when Codex is started again, and an answer that was on its way
   * would count for a question that the user has not seen.
   */
  #ask(asked: Question): Promise<GivenAnswer<UserAnswer>> {
    const approval = { ...asked, id: `${asked.id}.${++questions}` };
    const because = this.#document.whyNotAsked(approval);
    if (this.#closed !== undefined)
      return Promise.resolve(answeredByNobody("cancel", this.#closed));
    if (because !== undefined) {
      this.#document.apply({ type: "not_asked", because });
      return Promise.resolve(answeredByNobody("decline", NOT_SHOWN));
    }
    return new Promise((resolve) => {
      this.#pending.set(approval.id, { approval, name: asked.id, resolve, isHeld: false });
      this.#onPending(this.#pending.size);
      void this.#document.askApproval(approval).then(() => {
        if (this.#pending.has(approval.id))
          this.#onAsked({ id: approval.id, title: approvalTitle(approval) });
      });
    });
  }

  /** The number of questions that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Takes the user's answer. Gives the question that it answers; undefined if that no longer waits. */
  answer(id: string, answer: UserAnswer, reason: string | undefined): Question | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.isHeld) return undefined;
    // SECURITY: an answer that was not offered does not count.
    if (!allowedDecisions(pending.approval.kind).includes(answer.decision)) return undefined;
    this.#settle(id, pending, { ...answer, by: "user" }, reason);
    this.#onPending(this.#pending.size);
    return pending.approval;
  }

  /**
   * Takes a question about a patch for the user, who has changed the patch: until it is let go, nobody
   * else answers it. Undefined if it no longer waits.
   */
  hold(id: string): HeldPatch | undefined {
    const pending = this.#pending.get(id);
    if (pending?.approval.kind !== "patch" || pending.isHeld) return undefined;
    pending.isHeld = true;
    return {
      decline: (reason) => {
        // Its turn may have ended meanwhile, and the question with it.
        if (this.#pending.get(id) !== pending) return;
        this.#settle(id, pending, { decision: "decline", by: "user" }, reason);
        this.#onPending(this.#pending.size);
      },
      letGo: () => {
        pending.isHeld = false;
      },
    };
  }

  /** The question about a patch with this id, while it waits. */
  patch(id: string): Extract<Question, { kind: "patch" }> | undefined {
    const approval = this.#pending.get(id)?.approval;
    return approval?.kind === "patch" ? approval : undefined;
  }

  /** Codex no longer waits for the answer to this request. */
  resolved(requestId: string | number): void {
    this.withdraw(approvalId(requestId), "Codex no longer waited for an answer");
  }

  /** The question is withdrawn: nobody waits for its answer any more. */
  withdraw(name: string, why: string, decision: "cancel" | "decline" = "cancel"): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.name !== name) continue;
      this.#settle(id, pending, answeredByNobody(decision, why), undefined);
      this.#onPending(this.#pending.size);
    }
  }

  /** Answers all that waits, since nobody can answer it any more. */
  cancelAll(why: string): void {
    for (const [id, pending] of [...this.#pending])
      this.#settle(id, pending, answeredByNobody("cancel", why), undefined);
  }

  /** The same, also for all that is asked from now on. */
  close(why: string): void {
    this.#closed = why;
    this.cancelAll(why);
  }

  #settle(
    id: string,
    pending: Pending,
    answer: GivenAnswer<UserAnswer>,
    reason: string | undefined,
  ): void {
    this.#pending.delete(id);
    const said = saidText(pending.approval, answer);
    this.#document.approvalAnswered(id, answer.decision, { reason, said, unanswered: answer.why });
    pending.resolve(answer);
  }
}

/** The answers as the document keeps them, without secret ones. */
function saidText(approval: Question, { decision, answers }: UserAnswer): string | undefined {
  if (approval.kind !== "questions" || decision !== "accept") return undefined;
  const words = approval.fields.flatMap((field) => {
    const value = answers?.[field.name];
    if (value === undefined) return [];
    const shown = field.secret ? "(not shown)" : shownAnswer(field, value);
    return approval.fields.length === 1 ? [shown] : [`${field.label}: ${shown}`];
  });
  return words.length === 0 ? "nothing" : words.join("; ");
}

function shownAnswer({ options }: Field, value: FieldAnswer): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  const labels = (typeof value === "object" ? value : [value]).map(
    (each) => options.find((option) => option.value === each)?.label ?? String(each),
  );
  return labels.length === 0 ? "none" : labels.join(", ");
}

/** One line for a notification when the chat is not in view. */
export function approvalTitle(approval: Question): string {
  switch (approval.kind) {
    case "command":
      return approval.command === undefined && approval.network !== undefined
        ? `Codex asks to reach ${approval.network.host}`
        : `Codex asks to run: ${unwrapShell(approval.command ?? "a command")}`;
    case "patch":
      return "Codex asks to edit files";
    case "questions":
      return approval.server === undefined
        ? "Codex asks a question"
        : `${approval.server} asks: ${approval.title}`;
    case "tool":
      return `Codex asks to use ${approval.tool} of ${approval.server}`;
    case "page":
      return `${approval.server} asks to open a page`;
    case "network":
      return `The sandbox asks to reach ${approval.target}`;
    default:
      return approval satisfies never;
  }
}
