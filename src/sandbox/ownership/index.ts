/**
 * Which containers belong to whom: their records, the sweep of orphans, finding a project's own.
 *
 * It removes nothing whose owner may be alive.
 */
export { otherHosts, removeSandbox, type SandboxPlace, sandboxName } from "./container-lookup.ts";
export { beginRecord, dropRecord, isRecorded, type RecordPlace } from "./container-record.ts";
export { sweep } from "./sweep.ts";
