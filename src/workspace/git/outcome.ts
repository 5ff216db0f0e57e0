import { LookError } from "../../look.ts";
import type { RefExport, RefExports } from "./export-refs.ts";
import { lookProblem } from "./repository/index.ts";

/** The result of a synchronization: refs that were set, and sentences for the user. */
export type GitOutcome = {
  readonly deliveries: readonly (RefExport & { readonly submodule: string | undefined })[];
  readonly notes: readonly string[];
};

/** Nothing was exported, and there is nothing to say. */
export const NOTHING: GitOutcome = { deliveries: [], notes: [] };

/** The note about a failed look at the real repository. */
export function failedLook(cause: unknown): GitOutcome {
  if (!(cause instanceof LookError)) throw cause;
  return note(`The agent's git and yours could not be compared: ${lookProblem(cause)}.`);
}

/** An outcome of one sentence. */
export function note(text: string): GitOutcome {
  return { deliveries: [], notes: [text] };
}

/** The note about branches that are left for the next time. */
export function leftNotes({ left }: RefExports): readonly string[] {
  return left === 0 ? [] : [`${left} more of Codex's branches come after the next turn.`];
}

/** The note about a submodule for which the agent has no git. */
export function refusedNote(names: readonly string[], why: string): string {
  return `Git does not work in the sandbox in the submodule ${names.slice(1).join("/")}: ${why}.`;
}

/** The note about a branch that both sides have changed. */
export function divergedNote(ref: string): string {
  const name = ref.replace(/^refs\/heads\//, "");
  return `You and Codex have both changed ${name}: Codex goes on with its own version, without your changes.`;
}
