import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TarEntry } from "../../tar.ts";
import type { CodexPackage } from "./codex-package.ts";

/** The base of the default image; any Debian-like image with apt will do. */
export const DEFAULT_BASE_IMAGE = "debian:trixie-slim";

const REPOSITORY = "codex-chat";
/** The files of every image besides Codex; the Dockerfile comes first. */
const CONTAINER_FILES = [
  ...["profile.sh", "check.sh", "keeper.sh", "relay.sh", "relay.mjs"],
  ...["codex.sh", "path.sh", "git.sh", "let-go.sh", "let-go.mjs"],
];

/** How one image is made. */
export type ImageRecipe = {
  readonly tag: string;
  /** For messages. */
  readonly name: string;
  /** Its base, for messages. */
  readonly from: string;
  readonly entries: readonly TarEntry[];
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Whether its build needs the network. */
  readonly network: boolean;
};

/** A Dockerfile of the user, with the content that was allowed. */
export type UserDockerfile = {
  /** Its path, for messages. */
  readonly path: string;
  readonly content: string;
};

type Sources = { readonly containerDir: string; readonly codex: CodexPackage };

/** The default image: the usual tools, installed with apt, on a base image given by name. */
export async function defaultRecipe(sources: Sources, baseImage: string): Promise<ImageRecipe> {
  return recipe(sources, "Dockerfile", { from: baseImage, base: baseImage, network: true });
}

/** An image on top of the user's own, which is given by id. */
export async function userImageRecipe(
  sources: Sources,
  image: { readonly name: string; readonly id: string },
): Promise<ImageRecipe> {
  const { name, id } = image;
  return recipe(sources, "Dockerfile.image", { from: name, base: id, network: false });
}

/**
 * The image that the user's Dockerfile makes from the plugin's.
 *
 * SECURITY: only the Dockerfile is sent, so that a build sees no file of the project or the machine.
 */
export function dockerfileRecipe(base: { readonly id: string }, file: UserDockerfile): ImageRecipe {
  // The sandbox's own programs must still be there, whatever the Dockerfile changed.
  const content = `${file.content}\n\nRUN ["/bin/sh", "/opt/codex-chat/check.sh"]\n`;
  return {
    tag: imageTag(contextHash([{ name: "Dockerfile", content }], "", base.id)),
    name: "your Dockerfile's image",
    from: file.path,
    entries: [{ name: "Dockerfile", content }],
    buildArgs: { CODEX_CHAT_IMAGE: base.id },
    network: true,
  };
}

async function recipe(
  { containerDir, codex }: Sources,
  dockerfile: string,
  { from, base, network }: { from: string; base: string; network: boolean },
): Promise<ImageRecipe> {
  const files = await Promise.all(
    [dockerfile, ...CONTAINER_FILES].map(async (name) => ({
      name: name === dockerfile ? "Dockerfile" : name,
      content: await readFile(join(containerDir, name), "utf8"),
    })),
  );
  return {
    tag: imageTag(contextHash(files, `${codex.version} ${codex.npmVersion}`, base)),
    name: "the sandbox's image",
    from,
    entries: [...files, ...codex.entries],
    buildArgs: { BASE_IMAGE: base },
    network,
  };
}

/** The tag for a hash of an image's content; twelve digits are enough. */
export function imageTag(contextHash: string): string {
  return `${REPOSITORY}:${contextHash.slice(0, 12)}`;
}

/** Whether a tag is from `imageTag`; Podman puts `localhost/` in front. */
export function isImageTag(tag: string): boolean {
  return /^(?:localhost\/|docker\.io\/library\/)?codex-chat:[0-9a-f]{12}$/.test(tag);
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
