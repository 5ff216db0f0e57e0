/**
 * What turns run on: a sandbox, its relay, and an app-server, started in order.
 *
 * It must not know any conversation.
 */
export { type Backend, startBackend } from "./backend.ts";
export { allowDockerfile } from "./dockerfile.ts";
export { findRuntime, imageOptions, type ProveOptions, proveEngine } from "./prepare-engine.ts";
export { GVISOR } from "./prepare-sandbox.ts";
export { judgeProject } from "./project-place.ts";
export { secretPlaces } from "./secret-places.ts";
