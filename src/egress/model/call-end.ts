import type { CallUsage, EgressEvent, ModelFailureKind } from "../events.ts";
import type { ModelFailure } from "./model-failure.ts";

/** How a call ends; the first end counts. */
export type CallEnd =
  /** The whole response has come; `rest` is the end of it, `failure` explains a 4xx or 5xx. */
  | { readonly type: "answered"; readonly rest: Buffer; readonly failure?: ModelFailure }
  /** Answered by the host, with `status`. */
  | {
      readonly type: "failed";
      readonly kind: ModelFailureKind;
      readonly message: string;
      readonly status: number;
    }
  | {
      readonly type: "refused";
      readonly status: number;
      readonly message: string;
      readonly isOdd?: true;
    }
  | { readonly type: "aborted"; readonly by: "client" | "turn_end" };

/** What is known of a call at its end. */
type CallFacts = {
  readonly id: number;
  readonly sums: { readonly bytesIn: number; readonly ms: number; readonly usage?: CallUsage };
  /** Of the response; undefined if none has come. */
  readonly status: number | undefined;
};

/** The event that tells how a call has ended. */
export function endEvent(end: CallEnd, { id, sums, status }: CallFacts): EgressEvent {
  const answered = status === undefined ? {} : { status };
  switch (end.type) {
    case "answered":
      return end.failure === undefined
        ? { type: "model_done", id, ...sums }
        : { type: "model_failed", id, ...end.failure, ...answered };
    case "failed":
      return { type: "model_failed", id, kind: end.kind, message: end.message, ...answered };
    case "refused":
      return {
        type: "model_refused",
        reason: end.message,
        ...(end.isOdd === undefined ? {} : { isOdd: true }),
      };
    case "aborted":
      return { type: "model_aborted", id, by: end.by, ...sums };
    default:
      return end satisfies never;
  }
}
