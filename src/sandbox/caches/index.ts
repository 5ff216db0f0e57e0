/**
 * The tools' caches: volumes filled once from the project and kept per project.
 *
 * It must not touch a volume that the plugin did not make.
 */
export { type Cache, type CacheOptions, planCaches } from "./caches.ts";
export {
  cachesOf,
  ensureVolumes,
  goneCaches,
  type OurVolume,
  ourVolumes,
  pruneCaches,
  removeCaches,
  volumeSizes,
} from "./volumes.ts";
