/**
 * Locks and leases between processes of this machine, and who holds them.
 *
 * It must not know what they stand for.
 */
export { dropLease, leaseDir, liveLeases, writeLease } from "./lease.ts";
export {
  FLOCK_MISSING,
  type LockPlace,
  type MachineLock,
  takeLock,
  tryLock,
} from "./machine-lock.ts";
export {
  isSameMachine,
  liveness,
  type Owner,
  ownerLabel,
  ownOwner,
  parseOwner,
} from "./process-identity.ts";
