/**
 * A project's bind mounts: what goes into its container, and what of it is read-only.
 *
 * It must not know the engine. A check that could not be made is a refusal.
 */
export { type NewlyTrustedPaths, newlyTrustedSince } from "./newly-trusted-paths.ts";
export {
  closedTreeOf,
  failedLookRefusal,
  inspectProject,
  judgeRoot,
  PROTECTED_NAMES,
  type ProjectMounts,
  type ProjectMountsOptions,
  putBack,
  SYSTEM_DIRS,
} from "./project-mounts.ts";
export { prepareState, stateUnwritable } from "./state-mounts.ts";
