import type { Approval, Decision } from "../codex/index.ts";
import type { LiveDocument } from "./live-document.ts";

type Pending = {
  readonly approval: Approval;
  readonly resolve: (answer: Decision) => void;
};

/**
 * The questions of one conversation that wait for the user.
 *
 * Every request from Codex is answered exactly once: by the user, or with "cancel" when its turn
 * ends first. Codex has no time-out of its own (observed in 0.169).
 */
export class Approvals {
  readonly #document: LiveDocument;
  readonly #onAsked: (asked: { readonly id: string; readonly title: string }) => void;
  readonly #pending = new Map<string, Pending>();

  /** `onAsked` is called when the question stands in the buffer and can be answered. */
  constructor(
    document: LiveDocument,
    onAsked: (asked: { readonly id: string; readonly title: string }) => void,
  ) {
    this.#document = document;
    this.#onAsked = onAsked;
  }

  /** Puts the question into the document and resolves with the answer. */
  ask(approval: Approval): Promise<Decision> {
    return new Promise((resolve) => {
      this.#pending.set(approval.id, { approval, resolve });
      void this.#document.askApproval(approval).then(() => {
        if (this.#pending.has(approval.id))
          this.#onAsked({ id: approval.id, title: approvalTitle(approval) });
      });
    });
  }

  /** How many wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Returns false where the question is no longer pending. */
  answer(id: string, decision: Decision, reason: string | undefined): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    this.#settle(id, pending, decision, reason);
    return true;
  }

  /** Codex no longer waits for this question. */
  resolved(id: string): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) this.#settle(id, pending, "cancel", undefined);
  }

  /** The turn is over: nothing that it asked can be answered any more. */
  cancelAll(): void {
    for (const [id, pending] of [...this.#pending]) this.#settle(id, pending, "cancel", undefined);
  }

  #settle(id: string, pending: Pending, decision: Decision, reason: string | undefined): void {
    this.#pending.delete(id);
    this.#document.approvalAnswered(id, decision, reason);
    pending.resolve(decision);
  }
}

/** One line for a notification when the chat is not in view. */
export function approvalTitle(approval: Approval): string {
  switch (approval.kind) {
    case "command":
      return `Codex asks to run: ${approval.command ?? "a command"}`;
    case "patch":
      return "Codex asks to edit files";
    default:
      return "Codex asks a question";
  }
}
