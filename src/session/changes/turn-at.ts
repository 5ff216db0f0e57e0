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
  return turns[placedIn(text, turns).findLast((each) => each.row <= row)?.turn ?? -1];
}

/** The first turn whose query stands at a row or below it; undefined where none does. */
export function turnFrom(
  text: string,
  row: number,
  turns: readonly TurnRecord[],
): TurnRecord | undefined {
  return turns[placedIn(text, turns).find((each) => each.row >= row)?.turn ?? -1];
}

/** The rows of the queries' headings that are on record, and the index of each one's turn. */
function placedIn(
  text: string,
  turns: readonly TurnRecord[],
): readonly { readonly row: number; readonly turn: number }[] {
  const sections = findSections(linesOf(text));
  const prompt = sections.at(-1);
  const queries = sections.filter((each) => each.role === "user" && each !== prompt);
  const messages = turns.map(({ id, queries: texts }) => ({
    id,
    messages: [[texts.join("\n\n")]],
  }));
  return placeQueries(queries, messages).flatMap(({ section: { row }, turn }) =>
    turn === undefined ? [] : [{ row, turn }],
  );
}
