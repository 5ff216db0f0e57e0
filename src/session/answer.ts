import type { Verdict } from "../chat/index.ts";

/** An answer with who gave it; `nobody` where the question could not be answered any more. */
export type Given<T> = T & {
  readonly by: "user" | "nobody";
  /** Why nobody did. */
  readonly why?: string;
};

/** The answer to a question that nobody is there for. */
export function givenByNobody<D extends Verdict>(
  decision: D,
  why: string,
): Given<{ readonly decision: D }> {
  return { decision, by: "nobody", why };
}
