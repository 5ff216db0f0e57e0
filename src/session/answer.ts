import type { UserDecision } from "../chat/index.ts";

/** An answer with who gave it; `nobody` where the question could not be answered any more. */
export type GivenAnswer<T> = T & {
  readonly by: "user" | "nobody";
  /** Why nobody did. */
  readonly why?: string;
};

/** The answer to a question that nobody is there for. */
export function answeredByNobody<D extends UserDecision>(
  decision: D,
  why: string,
): GivenAnswer<{ readonly decision: D }> {
  return { decision, by: "nobody", why };
}
