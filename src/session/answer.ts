import type { UserDecision } from "../chat/index.ts";

/** An answer, and who gave it: `nobody` if the question could no longer be answered. */
export type GivenAnswer<T> = T & {
  readonly by: "user" | "nobody";
  /** Why nobody did. */
  readonly why?: string;
};

/** The answer to a question that nobody answers. */
export function answeredByNobody<D extends UserDecision>(
  decision: D,
  why: string,
): GivenAnswer<{ readonly decision: D }> {
  return { decision, by: "nobody", why };
}
