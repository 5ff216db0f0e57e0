import { Place } from "../../test/e2e/place.ts";
import { atEnd } from "./cleanup.ts";

/** The engine that the set-up has made ready. */
export type BenchEngine = { readonly host: string; readonly baseImage: string | undefined };

/**
 * Makes a project, a home and a state directory of a measurement's own. A self-test that passed once is
 * known there, as it is to a user, so no figure has one in it.
 */
export async function makePlace(engine: BenchEngine): Promise<Place> {
  const place = await Place.make({ engine: { ...engine, close: async () => {} } });
  // Also when a signal ends the run.
  const remove = atEnd(() => Place.prototype[Symbol.asyncDispose].call(place));
  return Object.assign(place, { [Symbol.asyncDispose]: remove });
}
