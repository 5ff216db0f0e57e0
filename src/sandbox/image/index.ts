/**
 * The image: its recipe, its build, and the removal of old ones.
 *
 * It must not know any project.
 */
export { findCodexPackage } from "./codex-package.ts";
export { ensureImage, findImage, type ImageOptions, imagesInUse } from "./image.ts";
export type { SandboxImage } from "./image-build.ts";
export { oldImages, removeOldImages, removeReplaced } from "./image-prune.ts";
export type { UserDockerfile } from "./image-recipe.ts";
