import type { NewlyTrustedPaths } from "../../sandbox/mounts/index.ts";
import { quoteName } from "../quote-name.ts";

/** How much of a reason that git gives is shown. */
const MAX_PROBLEM = 300;

/**
 * Says that the user's git now trusts a path that is writable in the sandbox.
 *
 * SECURITY: the agent may have chosen the names.
 */
export function latePathsText(
  { names, problem, stateGone }: NewlyTrustedPaths,
  isRenewed: boolean,
): string {
  if (stateGone !== undefined)
    return `${stateGone} was removed. The sandbox keeps there what the agent knows and has committed. ${
      isRenewed
        ? "So the sandbox is restarted, and what ran in it has ended."
        : "It cannot be restored while other turns run in the sandbox: send again when they are over."
    }`;
  if (problem !== undefined)
    return `It is no longer known which paths of the project your git trusts: ${quoteName(problem, MAX_PROBLEM)}. ${
      isRenewed
        ? "So the sandbox is restarted, if that is known by then, and what ran in it has ended."
        : "The sandbox goes on as it is while other turns run in it."
    }`;
  const first = names.slice(0, 5).map((name) => quoteName(name));
  const more = names.length > first.length ? ` and ${names.length - first.length} more` : "";
  return `Your git now trusts ${first.join(", ")}${more}, which it did not when the sandbox was started. ${
    isRenewed
      ? "So the sandbox is restarted with these read-only, and what ran in it has ended."
      : "It can be changed in the sandbox while other turns run there, and is read-only after its next start."
  }`;
}
