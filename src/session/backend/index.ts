/**
 * Everything that turns run on: engine, image, sandbox, relay and app-server, started in order.
 *
 * Must not know conversations.
 */
export { type Backend, startBackend } from "./backend.ts";
export { allowDockerfile } from "./dockerfile.ts";
export { canFetchPackages, DOWNLOAD } from "./image-packages.ts";
export {
  findRuntime,
  imageOptions,
  type PrepareEngineOptions,
  prepareEngine,
} from "./prepare-engine.ts";
export { judgeProject } from "./project-place.ts";
export { secretPlaces } from "./secret-places.ts";
