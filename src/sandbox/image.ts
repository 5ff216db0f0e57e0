import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "../result.ts";
import { followBuild } from "./build-log.ts";
import type { CodexPackage } from "./codex-package.ts";
import type { Engine } from "./engine.ts";
import { containerFailure, engineFault, type SandboxError } from "./error.ts";
import { LABELS } from "./labels.ts";
import { takeLock } from "./lock.ts";
import { type TarEntry, tarStream } from "./tar.ts";

/** What the default image is made from; any Debian-like image with apt serves. */
export const DEFAULT_BASE_IMAGE = "debian:trixie-slim";

const REPOSITORY = "codex-chat";
const CONTAINER_FILES = ["Dockerfile", "keeper.mjs", "relay.mjs"] as const;

/** What an image is built from. */
export type ImageOptions = {
  /** The plugin's `container/` directory. */
  readonly containerDir: string;
  readonly codex: CodexPackage;
  readonly baseImage?: string;
  /** Further build arguments, as `http_proxy`; they are not part of the tag. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** The network of the build's own containers: `host` where the engine has no bridge. */
  readonly buildNetwork?: string;
  /** Builds also where the image is there, and without the engine's cache. */
  readonly rebuild?: boolean;
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
};

/** An image on the engine. */
export type SandboxImage = { readonly id: string; readonly tag: string };

/**
 * Returns the image for this version of the container's files, of Codex and of the base image,
 * building it where the engine has none. Of several Neovims that need it, one builds.
 *
 * Errors: `image_build_failed`, `disk_full`, `container_failed`. Rejects with `signal.reason`.
 */
export async function ensureImage(
  engine: Engine,
  options: ImageOptions,
): Promise<Result<SandboxImage, SandboxError>> {
  const { signal, rebuild = false, onProgress = () => {} } = options;
  signal?.throwIfAborted();
  const files = await contextFiles(options.containerDir);
  const base = options.baseImage ?? DEFAULT_BASE_IMAGE;
  const tag = imageTag(contextHash(files, options.codex.version, base));
  const present = await inspectImage(engine, tag, signal);
  if (!present.ok || (present.value !== undefined && !rebuild)) return found(present);

  onProgress(`Waiting to build ${tag}`);
  using _lock = await takeLock(`image ${engine.id} ${tag}`, signal === undefined ? {} : { signal });
  const now = await inspectImage(engine, tag, signal);
  const isNew = now.ok && now.value?.id !== present.value?.id;
  if (!now.ok || (now.value !== undefined && (!rebuild || isNew))) return found(now);
  onProgress(`Building ${tag} from ${base}: once for this version, it takes a minute or two`);
  const built = await build(engine, options, { tag, base, files });
  if (!built.ok) return built;
  return found(await inspectImage(engine, tag, signal), tag);
}

/**
 * Returns the image that `ensureImage` would give, where the engine has it; builds nothing.
 *
 * Errors: `container_failed`. Rejects with `signal.reason`.
 */
export async function findImage(
  engine: Engine,
  options: Pick<ImageOptions, "containerDir" | "codex" | "baseImage" | "signal">,
): Promise<Result<SandboxImage | undefined, SandboxError>> {
  const files = await contextFiles(options.containerDir);
  const base = options.baseImage ?? DEFAULT_BASE_IMAGE;
  const tag = imageTag(contextHash(files, options.codex.version, base));
  return inspectImage(engine, tag, options.signal);
}

/** The tag for a hash of an image's content: twelve digits tell versions apart. */
export function imageTag(contextHash: string): string {
  return `${REPOSITORY}:${contextHash.slice(0, 12)}`;
}

/** A hash over the container's files, the Codex version and the name of the base image. */
export function contextHash(
  files: readonly { readonly name: string; readonly content: string }[],
  codexVersion: string,
  baseImage: string,
): string {
  const parts = [codexVersion, baseImage, ...files.flatMap((file) => [file.name, file.content])];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function contextFiles(dir: string): Promise<{ name: string; content: string }[]> {
  return Promise.all(
    CONTAINER_FILES.map(async (name) => ({
      name,
      content: await readFile(join(dir, name), "utf8"),
    })),
  );
}

async function build(
  engine: Engine,
  options: ImageOptions,
  { tag, base, files }: { tag: string; base: string; files: readonly TarEntry[] },
): Promise<Result<void, SandboxError>> {
  const { signal, onProgress = () => {} } = options;
  try {
    const progress = await engine.docker.buildImage(
      tarStream([...files, ...options.codex.entries]),
      {
        t: tag,
        buildargs: { ...options.buildArgs, BASE_IMAGE: base },
        labels: { [LABELS.plugin]: "1", [LABELS.codexVersion]: options.codex.version },
        nocache: options.rebuild === true,
        forcerm: true,
        rm: true,
        ...(options.buildNetwork === undefined ? {} : { networkmode: options.buildNetwork }),
        ...(signal === undefined ? {} : { abortSignal: signal }),
      },
    );
    const { error, lastLines } = await followBuild(progress, onProgress, signal);
    if (error === undefined) return ok();
    return err(buildFailed(base, error, lastLines));
  } catch (cause) {
    signal?.throwIfAborted();
    return err(buildFailed(base, engineFault(cause).text, [], cause));
  }
}

/** Undefined where the engine has no such image. */
async function inspectImage(
  engine: Engine,
  tag: string,
  signal: AbortSignal | undefined,
): Promise<Result<SandboxImage | undefined, SandboxError>> {
  try {
    const { Id } = await engine.docker.getImage(tag).inspect();
    signal?.throwIfAborted();
    return ok({ id: Id, tag });
  } catch (cause) {
    signal?.throwIfAborted();
    if (engineFault(cause).status === 404) return ok(undefined);
    return err(
      containerFailure(cause, { what: "Looking for the sandbox's image", runtime: "", image: tag }),
    );
  }
}

function found(
  result: Result<SandboxImage | undefined, SandboxError>,
  tag = "",
): Result<SandboxImage, SandboxError> {
  if (!result.ok) return result;
  if (result.value !== undefined) return ok(result.value);
  return err({
    kind: "image_missing",
    message: `The image ${tag} was built, but the engine does not list it: expected it there.`,
    mend: "Remove nothing while the image is built, then open the chat again.",
    image: tag,
  });
}

function buildFailed(
  base: string,
  reason: string,
  log: readonly string[],
  cause?: unknown,
): SandboxError {
  if (/no space left on device/i.test([reason, ...log].join("\n"))) {
    return {
      kind: "disk_full",
      message:
        "The sandbox's image could not be built: no space is left where the engine keeps its data (about 1 GB is needed).",
      mend: "docker system df\ndocker system prune",
      cause,
    };
  }
  // The reason names the step; the lines before it are in the host's log.
  return {
    kind: "image_build_failed",
    message: `The sandbox's image could not be built from ${base}: ${reason.trim()}`,
    mend: `Check that the engine reaches the network: docker pull ${base}\nthen send again. Another base image is set with sandbox.base_image.`,
    log,
    cause,
  };
}
