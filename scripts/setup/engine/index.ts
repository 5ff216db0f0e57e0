/**
 * An engine with gVisor for trying and testing: the machine's own where it is good enough, else a
 * private one from Debian's packages, with a base image of its own and nothing left behind.
 *
 * It must not know what runs on the engine.
 */
export { setUpBaseImage } from "./base-image.ts";
export {
  DIRECTFS_RUNTIME,
  DIRECTFS_VARIABLE,
  hasDirectfs,
  useDirectfsEngine,
} from "./directfs.ts";
export {
  type ExtraRuntimes,
  findGoodEngine,
  type KeeperAnswer,
  type KeeperOptions,
  type PrivateEngine,
  RUNTIME_ARGS,
  type UsedEngine,
  useEngine,
  usePrivateEngine,
} from "./engine.ts";
export { type EngineTraces, endContainers, removeLeftovers } from "./leftovers.ts";
