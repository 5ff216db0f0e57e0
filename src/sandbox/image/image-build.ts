import type { Progress } from "../../log.ts";
import { ownUid } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import { tarStream } from "../../tar.ts";
import { LABELS } from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { containerFailure, DISK_FULL, engineFault, type SandboxError } from "../error.ts";
import { followBuild } from "./build-log.ts";
import type { ImageRecipe } from "./image-recipe.ts";
import { LayerCount } from "./layer-count.ts";

/** How many of a failed build's last lines its message has. */
const SHOWN_LINES = 8;
/** The prefix of container/check.sh for each program that an image lacks. */
const LACKS = "codex-chat-lacks: ";

/** An image on the engine. */
export type SandboxImage = {
  readonly id: string;
  readonly tag: string;
  /** The PATH that the image sets. */
  readonly path?: string;
};

/** An image as the engine describes it. */
export type InspectedImage = SandboxImage & { readonly layers: readonly string[] };

/** How a build is run. */
export type BuildOptions = {
  readonly codexVersion: string;
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  readonly buildNetwork?: string | undefined;
  readonly nocache?: boolean;
  /** Gets each line of the output. */
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Builds an image; errors: `image_build_failed`, `image_unfit`, `disk_full`. */
export async function buildImage(
  engine: Engine,
  recipe: ImageRecipe,
  options: BuildOptions,
): Promise<Result<void, SandboxError>> {
  const { signal, onLine, buildNetwork } = options;
  const network = recipe.network ? buildNetwork : "none";
  try {
    const progress = await engine.docker.buildImage(tarStream(recipe.entries), {
      t: recipe.tag,
      buildargs: { ...options.buildArgs, ...recipe.buildArgs },
      labels: {
        [LABELS.plugin]: "1",
        [LABELS.codexVersion]: options.codexVersion,
        [LABELS.uid]: String(ownUid()),
      },
      nocache: options.nocache === true,
      forcerm: true,
      rm: true,
      ...(network === undefined ? {} : { networkmode: network }),
      ...(signal === undefined ? {} : { abortSignal: signal }),
    });
    const { error, lastLines } = await followBuild(progress, onLine, signal);
    if (error === undefined) return ok();
    return err(buildFailed(recipe, error, lastLines));
  } catch (cause) {
    signal?.throwIfAborted();
    return err(buildFailed(recipe, engineFault(cause).text, [], cause));
  }
}

/** Undefined if the engine has no such image; errors: `container_failed`. */
export async function inspectImage(
  engine: Engine,
  tag: string,
  signal?: AbortSignal,
): Promise<Result<InspectedImage | undefined, SandboxError>> {
  try {
    const { Id, Config, RootFS } = await engine.docker.getImage(tag).inspect();
    signal?.throwIfAborted();
    const path = Config?.Env?.find((variable) => variable.startsWith("PATH="))?.slice(
      "PATH=".length,
    );
    const layers = RootFS?.Layers ?? [];
    return ok({ id: Id, tag, layers, ...(path === undefined ? {} : { path }) });
  } catch (cause) {
    signal?.throwIfAborted();
    if (engineFault(cause).status === 404) return ok(undefined);
    return err(
      containerFailure(cause, { what: "Looking for the sandbox's image", runtime: "", image: tag }),
    );
  }
}

/**
 * Fetches an image that the user has named and the engine does not have.
 *
 * Errors: `image_missing`, `disk_full`.
 */
export async function pullImage(
  engine: Engine,
  name: string,
  onProgress: (what: Progress) => void,
  signal?: AbortSignal,
): Promise<Result<void, SandboxError>> {
  const gone = (reason: string, cause?: unknown): Result<never, SandboxError> =>
    err({
      kind: "image_missing",
      message: `The engine has no image ${name} (sandbox.image) and cannot fetch it: ${reason}`,
      fix: `docker pull ${name}\nOr set sandbox.image to an image that you have: docker image ls`,
      image: name,
      cause,
    });
  const layers = new LayerCount(name, onProgress);
  try {
    // Without a tag the engine would fetch all tags.
    const ref = /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
    const progress = await engine.docker.pull(
      ref,
      signal === undefined ? {} : { abortSignal: signal },
    );
    const { error } = await followBuild(progress, (line) => layers.onLine(line), signal);
    return error === undefined ? ok() : gone(error);
  } catch (cause) {
    signal?.throwIfAborted();
    return gone(engineFault(cause).text, cause);
  }
}

function buildFailed(
  { from, buildArgs }: ImageRecipe,
  reason: string,
  log: readonly string[],
  cause?: unknown,
): SandboxError {
  if (/no space left on device/i.test([reason, ...log].join("\n"))) {
    return {
      kind: "disk_full",
      message:
        "The sandbox's image could not be built: no space is left where the engine keeps its data (about 1 GB is needed).",
      fix: DISK_FULL,
      cause,
    };
  }
  const lacking = log.flatMap((line) => (line.startsWith(LACKS) ? [line.slice(LACKS.length)] : []));
  const isDockerfile = "CODEX_CHAT_IMAGE" in buildArgs;
  if (lacking.length > 0) {
    return {
      kind: "image_unfit",
      message: `The sandbox cannot use the image ${from}: it lacks ${lacking.join(", ")}.`,
      fix: isDockerfile
        ? `Install it in ${from}, which must begin with: ARG CODEX_CHAT_IMAGE, then FROM $CODEX_CHAT_IMAGE`
        : "Use an image that has it, or remove sandbox.image and add what you need to the plugin's own image with sandbox.dockerfile.",
      lacking,
    };
  }
  const lines = log.slice(-SHOWN_LINES);
  const shown = lines.length > 0 ? `\nThe last lines of its build:\n${lines.join("\n")}` : "";
  return {
    kind: "image_build_failed",
    message: `The sandbox's image could not be built from ${from}: ${reason.trim()}${shown}`,
    fix: isDockerfile
      ? `Correct ${from}, which must begin with: ARG CODEX_CHAT_IMAGE, then FROM $CODEX_CHAT_IMAGE; its build sees no other files. The whole output: :CodexChat log`
      : `Check that the engine reaches the network: docker pull ${from}\nThen send again. sandbox.base_image sets another base image.`,
    log,
    cause,
  };
}
