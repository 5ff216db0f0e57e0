/**
 * The container engine: found, checked for gVisor, and asked to run processes.
 *
 * It must not know what a container is for.
 */
export { engineClient } from "./client.ts";
export { demux } from "./demux.ts";
export { type Engine, findEngine } from "./engine.ts";
export { type ExecOptions, type SandboxProcess, startProcess } from "./process.ts";
export { acceptsWeaker, type CheckedRuntime, checkRuntime } from "./runtime.ts";
export { lookForRuntime } from "./runtime-program.ts";
export { withUmask } from "./umask.ts";
