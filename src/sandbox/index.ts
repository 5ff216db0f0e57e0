/**
 * The sandbox: finds a container engine, proves that its gVisor holds, builds the image and keeps
 * one container a project, in which programs are started.
 *
 * It must not know Codex's messages, Neovim, or any secret: everything that goes in is visible
 * to the agent.
 */
export type { CacheOptions } from "./caches.ts";
export { type CodexPackage, findCodexPackage, readCodexPackage } from "./codex-package.ts";
export { type ContainerDescription, describeContainer } from "./describe.ts";
export { type Engine, type EngineRuntime, type FindEngineOptions, findEngine } from "./engine.ts";
export type { Check, SandboxError, SelfTestPart } from "./error.ts";
export { findGit, type GitPlace } from "./git-pointer.ts";
export type { GivenPath } from "./given.ts";
export { forgetProtected, noteMade } from "./guard-record.ts";
export { ensureImage, findImage, type ImageOptions, imagesInUse } from "./image.ts";
export type { SandboxImage } from "./image-build.ts";
export { type OldImage, oldImages, removeOldImages, removeReplaced } from "./image-prune.ts";
export { DEFAULT_BASE_IMAGE, imageTag, type UserDockerfile } from "./image-recipe.ts";
export type { Late } from "./late.ts";
export { describeEnd, type SandboxEnd } from "./life.ts";
export { FLOCK_MISSING } from "./lock.ts";
export { isAlive, type Owner, ownOwner } from "./owner.ts";
export type { SandboxOptions } from "./plan.ts";
export type { ExecOptions, ProcessExit, SandboxProcess } from "./process.ts";
export {
  type BindMount,
  contains,
  judgeRoot,
  PROTECTED_NAMES,
  type ProjectOptions,
} from "./project.ts";
export { isInReach } from "./reach.ts";
export { type CheckedRuntime, checkRuntime, OLDEST_RELEASE } from "./runtime.ts";
export { lookForRuntime } from "./runtime-program.ts";
export { openSandbox, type Sandbox } from "./sandbox.ts";
export { type SelfTestOptions, type SelfTestReport, selfTest } from "./self-test.ts";
export { findShared } from "./shared-path.ts";
export { runShell, ShellOptions } from "./shell.ts";
export { allowedEnv, KEEPER_SOCKET, type Limits, limitNotes } from "./spec.ts";
export { sweep } from "./sweep.ts";
export { withUmask } from "./umask.ts";
export type { UserMount } from "./user-mounts.ts";
export {
  cachesOf,
  goneCaches,
  type OurVolume,
  ourVolumes,
  pruneCaches,
  removeCaches,
  volumeSizes,
} from "./volumes.ts";
export { otherHosts, removeSandbox, sandboxName, type Whereabouts } from "./whereabouts.ts";
