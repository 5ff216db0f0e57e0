import { realPathOf } from "../../look.ts";
import { isWithin } from "../../paths.ts";
import { walkPath } from "../links.ts";

/**
 * Whether the agent could have written the file at this path, or decides where the path leads:
 * whether any step on the way lies in one of these places, which the agent can write.
 *
 * SECURITY: true where a step cannot be accessed.
 */
export function isInReach(path: string, places: readonly string[]): Promise<boolean> {
  return leadsThrough(path, places, () => true);
}

/**
 * Whether the way to a path leads through a link in one of these places, which the agent can point
 * anywhere.
 *
 * SECURITY: true where a step cannot be accessed.
 */
export function isLinkInReach(path: string, places: readonly string[]): Promise<boolean> {
  return leadsThrough(path, places, (isLink) => isLink);
}

async function leadsThrough(
  path: string,
  places: readonly string[],
  counts: (isLink: boolean) => boolean,
): Promise<boolean> {
  try {
    const real = await Promise.all(places.map(async (place) => (await realPathOf(place)) ?? place));
    const isThere = (step: string) => [...places, ...real].some((place) => isWithin(place, step));
    // A path with `..` in it may lead through a place by its words and not by its steps.
    if (counts(false) && isThere(path)) return true;
    const end = await walkPath(path, {
      goesOn: (step) => !(counts(step.is === "link") && isThere(step.path)),
    });
    return end.is === "stopped" || end.is === "loop";
  } catch {
    return true;
  }
}
