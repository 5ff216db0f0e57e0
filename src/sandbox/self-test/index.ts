/**
 * Proves that the engine's runtime is gVisor and that a read-only mount stays so under attack.
 *
 * It must not judge by what the sandbox says alone: the host looks, too.
 */
export { type SelfTestReport, selfTest } from "./self-test.ts";
