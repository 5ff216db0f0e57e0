import { ownUid } from "../../own-user.ts";
import { LABELS } from "../container/index.ts";
import type { Engine } from "../engine/index.ts";
import { engineFault } from "../error.ts";
import { isImageTag } from "./image-recipe.ts";

/** An image of ours that nothing uses. */
export type OldImage = {
  readonly id: string;
  readonly tags: readonly string[];
  /** With what it shares with others: removing it frees this at most. */
  readonly bytes: number;
};

/**
 * Lists the images that are provably ours and unused: with our label, built for this user, under no
 * tag but ours, not among `keep`, and of no container. Another user's may wait for their next
 * message, and what a user's own build has inherited our label for has
 * another tag or none, and is not ours.
 *
 * Rejects where the engine fails.
 */
export async function oldImages(engine: Engine, keep: readonly string[]): Promise<OldImage[]> {
  const filters = { label: [`${LABELS.plugin}=1`, `${LABELS.uid}=${ownUid()}`] };
  const [images, containers] = await Promise.all([
    engine.docker.listImages({ filters: JSON.stringify(filters) }),
    engine.docker.listContainers({ all: true }),
  ]);
  const used = new Set([...keep, ...containers.map((it) => it.ImageID)]);
  return images.flatMap(({ Id: id, RepoTags, Size: bytes }) => {
    const tags = RepoTags ?? [];
    const isOurs = tags.length > 0 && tags.every(isImageTag);
    return isOurs && !used.has(id) ? [{ id, tags, bytes }] : [];
  });
}

/** Removes those images; one that is used by now, or that another is made from, stays. */
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
 * Removes images that were ours and have lost their tags to newer ones; one that somebody's
 * container uses, or that has a tag, stays.
 *
 * Rejects where the engine fails.
 */
export async function removeReplaced(engine: Engine, ids: readonly string[]): Promise<void> {
  // What was made from another comes behind it in `ids`, and goes before it.
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
