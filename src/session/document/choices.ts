import type { Question, UserDecision } from "../../chat/index.ts";

/** The answers that a question of this kind allows. */
export function allowedDecisions(kind: Question["kind"]): readonly UserDecision[] {
  switch (kind) {
    case "questions":
    case "page":
      return ["accept", "decline", "cancel"];
    case "network":
      return ["accept", "accept_session", "accept_project", "decline", "cancel"];
    case "command":
    case "patch":
    case "tool":
      return ["accept", "accept_session", "decline", "cancel"];
    default:
      return kind satisfies never;
  }
}
