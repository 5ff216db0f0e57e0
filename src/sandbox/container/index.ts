/**
 * One container on an engine: its name, its labels, its end.
 *
 * It must not know what runs inside.
 */

export {
  type AttachedOutput,
  attachOutput,
  containerEnd,
  containerLock,
  containerOutOfMemory,
  type ExistingContainer,
  findContainer,
  lockToEnd,
  removeContainer,
} from "./container.ts";
export { containerName, projectHash } from "./container-name.ts";
export { LABELS } from "./labels.ts";
