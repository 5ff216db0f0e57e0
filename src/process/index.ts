/**
 * Which process of which machine and boot it is, and whether it still runs.
 *
 * It must not know what a process holds: locks, leases and journals are written by others.
 */
export {
  bootId,
  isAlive,
  isSameMachine,
  liveness,
  type Owner,
  ownerKey,
  ownerLabel,
  ownOwner,
  parseOwner,
  pidNamespace,
  startTimeOf,
} from "./process-identity.ts";
