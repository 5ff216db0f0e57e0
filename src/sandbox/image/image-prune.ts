import { ownUid } from "../../own-user.ts";
import { LABELS } from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { engineFault } from "../error.ts";
import { isImageTag } from "./image-recipe.ts";

/** An image of the plugin that nothing uses. */
export type OldImage = {
  readonly id: string;
  readonly tags: readonly string[];
  /** Including layers that it shares: removing it frees at most this much. */
  readonly bytes: number;
};

/**
 * Lists the unused images of the plugin: built for this user, with the plugin's label and no other
 * tag than the plugin's, not among `keep`, and used by no container. Another user may still need
 * theirs, and an image that a user built from the plugin's has the label but another tag or none.
 *
 * Rejects if the engine fails.
 */
export async function oldImages(engine: Engine, keep: readonly string[]): Promise<OldImage[]> {
  const filters = { label: [`${LABELS.plugin}=1`, `${LABELS.uid}=${ownUid()}`] };
  const [images, containers] = await Promise.all([
    engine.docker.listImages({ filters: JSON.stringify(filters) }),
    engine.docker.listContainers({ all: true }),
  ]);
  const used = new Set([...keep, ...containers.map((container) => container.ImageID)]);
  return images.flatMap(({ Id: id, RepoTags, Size: bytes }) => {
    const tags = RepoTags ?? [];
    const isOurs = tags.length > 0 && tags.every(isImageTag);
    return isOurs && !used.has(id) ? [{ id, tags, bytes }] : [];
  });
}

/** Removes those images, except one that is used meanwhile or that another is made from. */
export async function removeOldImages(
  engine: Engine,
  keep: readonly string[],
): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
  const removed: string[] = [];
  let bytes = 0;
  for (const image of await oldImages(engine, keep)) {
    for (const tag of image.tags) {
      try {
        await engine.docker.getImage(tag).remove();
        removed.push(tag);
        bytes += image.bytes / image.tags.length;
      } catch (cause) {
        const { status } = engineFault(cause);
        if (status !== 404 && status !== 409) throw cause;
      }
    }
  }
  return { removed, bytes };
}

/**
 * Removes images of the plugin whose tags have moved to newer ones, except one that a container uses
 * or that has a tag.
 *
 * Rejects if the engine fails.
 */
export async function removeReplaced(engine: Engine, ids: readonly string[]): Promise<void> {
  // An image comes after its base in `ids`, and must be removed before it.
  for (const id of [...ids].reverse()) {
    try {
      const image = engine.docker.getImage(id);
      if ((await image.inspect()).RepoTags?.length === 0) await image.remove();
    } catch (cause) {
      const { status } = engineFault(cause);
      if (status !== 404 && status !== 409) throw cause;
    }
  }
}
