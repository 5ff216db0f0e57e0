/**
 * The sandbox: finds a container engine, proves that its gVisor holds, builds the image and keeps
 * one container a project, in which programs are started.
 *
 * It must not know Codex's messages, Neovim, or any secret: everything that goes in is visible
 * to the agent.
 */
export { allowedEnv, type Limits, limitNotes } from "./container-spec.ts";
export { describeEnd } from "./container-watch.ts";
export { describeContainer } from "./describe.ts";
export { openSandbox, type Sandbox } from "./sandbox.ts";
