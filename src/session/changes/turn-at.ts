import { findSections, linesOf } from "../../chat/format/index.ts";
import { placeQueries } from "../document/index.ts";
import type { TurnRecord } from "./turn-log.ts";

/**
 * The turn of the query at or above a row, 0-based; undefined above the first one, and where its turn is
 * not on record. A query that was steered into a turn belongs to it.
 */
export function turnAt(
  text: string,
  row: number,
  turns: readonly TurnRecord[],
): TurnRecord | undefined {
  const sections = findSections(linesOf(text));
  const prompt = sections.at(-1);
  const queries = sections.filter((each) => each.role === "user" && each !== prompt);
  const messages = turns.map(({ id, queries }) => ({
    id,
    messages: [[queries.join("\n\n")]],
  }));
  const placed = placeQueries(queries, messages);
  const above = placed.filter(({ section, turn }) => section.row <= row && turn !== undefined);
  const index = above.at(-1)?.turn;
  return index === undefined ? undefined : turns[index];
}
