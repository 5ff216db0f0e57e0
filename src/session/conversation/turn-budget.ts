import type { Egress } from "../../egress/index.ts";
import type { TurnAllowance, TurnPass } from "../../egress/model/index.ts";

/**
 * What one conversation's turns may spend on the model.
 *
 * SECURITY: only a request of the user fills it, not Codex's word that a turn is over.
 */
export class TurnBudget {
  #pass: TurnPass | undefined;
  #allowance: TurnAllowance | undefined;

  /** The user has asked for something. */
  renew(): void {
    this.#allowance = undefined;
  }

  /**
   * A turn begins, with the rest of the budget of the user's last request. Codex gets no answer of the
   * model before `ready` has settled.
   */
  begin(
    egress: Pick<Egress, "allowance" | "beginTurn">,
    ready: Promise<unknown> | undefined,
  ): void {
    this.#allowance ??= egress.allowance("user");
    this.#pass = egress.beginTurn(this.#allowance, ready);
  }

  /** A turn has begun that has a pass of its own. */
  take(pass: TurnPass): void {
    this.#pass = pass;
  }

  /** The turn is over. */
  end(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}
