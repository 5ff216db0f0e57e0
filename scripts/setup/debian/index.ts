/**
 * Debian's packages, fetched from the machine's own archive and unpacked into a directory of their
 * own; the system's apt and dpkg stay as they are.
 *
 * It must not know what the packages are for.
 */
export { candidateVersion, extractDebs, machineAcquireOptions, unpackDebian } from "./debs.ts";
export { debianMachine, multiarch, whyNotSelfServed } from "./machine.ts";
export { formatSource, readMachineSources, securityOf } from "./sources.ts";
