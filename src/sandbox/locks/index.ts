/**
 * Locks and leases between processes of this machine.
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
