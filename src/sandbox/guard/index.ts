/**
 * Watches what is mounted read-only, and keeps the record of what was ever protected.
 *
 * It must not decide what is protected.
 */
export {
  forgetProtected,
  type GuardRecord,
  isAgents,
  keepProtected,
  mergeGuard,
  noteMade,
  type PathKind,
  type ProtectedPath,
  readGuardRecord,
} from "./guard-record.ts";
export { areStillMounted } from "./mount-check.ts";
export {
  fileIdentity,
  type GuardedFile,
  guardedParent,
  type MountGuard,
  watchGuarded,
} from "./mount-guard.ts";
