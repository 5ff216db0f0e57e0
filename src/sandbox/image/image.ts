import { join } from "node:path";
import type { Progress } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Engine } from "../engine/index.ts";
import type { SandboxError } from "../error.ts";
import { type MachineLock, takeLock } from "../locks/index.ts";
import { StateFault } from "../state-fault.ts";
import { BuildProgress } from "./build-progress.ts";
import { readBuildTimes, writeBuildTimes } from "./build-times.ts";
import type { CodexPackage } from "./codex-package.ts";
import {
  buildImage,
  type InspectedImage,
  inspectImage,
  pullImage,
  type SandboxImage,
} from "./image-build.ts";
import {
  DEFAULT_BASE_IMAGE,
  defaultRecipe,
  dockerfileRecipe,
  type ImageRecipe,
  type UserDockerfile,
  userImageRecipe,
} from "./image-recipe.ts";

/** How an image is built. */
export type ImageOptions = {
  /** The plugin's `container/` directory. */
  readonly containerDir: string;
  readonly codex: CodexPackage;
  /** The plugin's state directory, which has the lock that this user's builds share. */
  readonly stateDir: string;
  /** The base of the default image. */
  readonly baseImage?: string;
  /** The user's own image, instead of the default one. */
  readonly image?: string;
  /** A Dockerfile that adds to either; only if the user has allowed it. */
  readonly dockerfile?: UserDockerfile;
  /** Further build arguments, such as `http_proxy`; they are not part of the tag. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** The network of the build's containers: `host` if the engine has no bridge. */
  readonly buildNetwork?: string;
  /** Builds even if the image exists, and without the engine's cache. */
  readonly rebuild?: boolean;
  readonly onProgress?: (what: Progress) => void;
  /** Gets the lines that builds print. */
  readonly onOutput?: (line: string) => void;
  readonly signal?: AbortSignal;
};

/**
 * Returns the image for this version of the container's files, Codex, the base image and the user's
 * Dockerfile, and builds it if the engine does not have it. If several Neovims need it, one builds.
 *
 * Errors: `image_build_failed`, `image_unfit`, `image_missing`, `disk_full`, `container_failed`,
 * `state_unwritable`. Rejects with `signal.reason`.
 */
export async function ensureImage(
  engine: Engine,
  options: ImageOptions,
): Promise<Result<SandboxImage, SandboxError>> {
  options.signal?.throwIfAborted();
  const recipe = await baseRecipe(engine, options, true);
  if (!recipe.ok) return recipe;
  if (recipe.value === undefined) return err(vanished(options.image ?? ""));
  const base = await ensureBuilt(engine, recipe.value, options);
  if (!base.ok || options.dockerfile === undefined) return presented(base);
  const top = dockerfileRecipe(base.value, options.dockerfile);
  const made = await ensureBuilt(engine, top, options);
  if (!made.ok) return made;
  // A Dockerfile may begin with another image, which lacks the plugin's own programs.
  if (base.value.layers.some((layer, i) => made.value.layers[i] !== layer))
    return err(notOurs(options.dockerfile));
  return presented(made);
}

/**
 * Returns the image of `ensureImage` if the engine has it; builds nothing.
 *
 * Errors: `container_failed`. Rejects with `signal.reason`.
 */
export async function findImage(
  engine: Engine,
  options: ImageOptions,
): Promise<Result<SandboxImage | undefined, SandboxError>> {
  const recipe = await baseRecipe(engine, options, false);
  if (!recipe.ok || recipe.value === undefined) return recipe.ok ? ok(undefined) : recipe;
  const base = await inspectImage(engine, recipe.value.tag, options.signal);
  if (!base.ok || base.value === undefined || options.dockerfile === undefined)
    return base.ok && base.value !== undefined ? presented(ok(base.value)) : base;
  return inspectImage(engine, dockerfileRecipe(base.value, options.dockerfile).tag, options.signal);
}

/** The ids of the images for these options, as far as the engine has them. */
export async function imagesInUse(engine: Engine, options: ImageOptions): Promise<string[]> {
  const { dockerfile: _dockerfile, ...rest } = options;
  const found = [await findImage(engine, rest), await findImage(engine, options)];
  return found.flatMap((result) =>
    result.ok && result.value !== undefined ? [result.value.id] : [],
  );
}

/** Undefined if the user's own image is missing and must not be fetched. */
async function baseRecipe(
  engine: Engine,
  options: ImageOptions,
  fetch: boolean,
): Promise<Result<ImageRecipe | undefined, SandboxError>> {
  const { image, signal, onProgress = () => {} } = options;
  if (image === undefined)
    return ok(await defaultRecipe(options, options.baseImage ?? DEFAULT_BASE_IMAGE));
  let there = await inspectImage(engine, image, signal);
  if (!there.ok) return there;
  if (there.value === undefined && fetch) {
    const pulled = await pullImage(engine, image, onProgress, signal);
    if (!pulled.ok) return pulled;
    there = await inspectImage(engine, image, signal);
    if (!there.ok) return there;
  }
  if (there.value === undefined) return ok(undefined);
  return ok(await userImageRecipe(options, { name: image, id: there.value.id }));
}

async function ensureBuilt(
  engine: Engine,
  recipe: ImageRecipe,
  options: ImageOptions,
): Promise<Result<InspectedImage, SandboxError>> {
  const { stateDir, signal, rebuild = false, onProgress = () => {}, onOutput } = options;
  const { tag, name, from } = recipe;
  const present = await inspectImage(engine, tag, signal);
  if (!present.ok || (present.value !== undefined && !rebuild)) return found(present, tag);

  let lock: MachineLock;
  try {
    const place = { dir: join(stateDir, "locks"), name: `image ${engine.id} ${tag}` };
    const onWait = (holder: string) =>
      onProgress({
        text: `Waiting for another Neovim to build ${name}: ${holder}`,
        shorter: ["Waiting for another Neovim"],
      });
    lock = await takeLock(place, { signal, onWait });
  } catch (cause) {
    if (cause instanceof StateFault) return err(cause.error);
    throw cause;
  }
  using _lock = lock;
  const now = await inspectImage(engine, tag, signal);
  const isNew = now.ok && now.value?.id !== present.value?.id;
  if (!now.ok || (now.value !== undefined && (!rebuild || isNew))) return found(now, tag);
  const progress = new BuildProgress({
    title: `Building ${name}${rebuild ? "" : ", once"}`,
    onProgress,
    earlier: await readBuildTimes(stateDir, from),
  });
  const built = await buildImage(engine, recipe, {
    codexVersion: options.codex.version,
    buildArgs: options.buildArgs,
    buildNetwork: options.buildNetwork,
    nocache: rebuild,
    onLine: (line) => {
      onOutput?.(line);
      progress.onLine(line);
    },
    signal,
  });
  if (!built.ok) return built;
  await writeBuildTimes(stateDir, from, progress.times());
  return found(await inspectImage(engine, tag, signal), tag);
}

function presented(
  result: Result<InspectedImage, SandboxError>,
): Result<SandboxImage, SandboxError> {
  if (!result.ok) return result;
  const { layers: _layers, ...image } = result.value;
  return ok(image);
}

function found(
  result: Result<InspectedImage | undefined, SandboxError>,
  tag: string,
): Result<InspectedImage, SandboxError> {
  if (!result.ok) return result;
  return result.value === undefined ? err(vanished(tag)) : ok(result.value);
}

function vanished(tag: string): SandboxError {
  return {
    kind: "image_missing",
    message: `The image ${tag} was built, but the engine does not have it: another program may have removed it.`,
    fix: "Send again, and do not remove images while this one is built.",
    image: tag,
  };
}

function notOurs({ path }: UserDockerfile): SandboxError {
  return {
    kind: "image_unfit",
    message: `The image of ${path} is not made from the sandbox's own image.`,
    fix: `Begin ${path} with these two lines:\nARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE`,
    lacking: [],
  };
}
