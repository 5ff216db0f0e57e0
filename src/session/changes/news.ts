import type { Change, TurnRecord } from "./turn-log.ts";

const MAX_NAMES = 50;
const MAX_NAME = 300;
const MAX_QUERY = 100;

/**
 * What Codex is given before its next turn, so that it does not take its earlier work for what is in
 * the files.
 *
 * SECURITY: file names may be the agent's or a stranger's; they are quoted and bounded.
 */
export function newsText(changes: readonly Change[], turns: readonly TurnRecord[]): string {
  const lines = changes.map((change) => {
    const queries = change.turns.map((id) => queryOf(turns.find((turn) => turn.id === id)));
    const done = change.kind === "undo" ? "took back" : "brought back";
    return `The user ${done} what you changed in answer to ${queries.join(", ")}: ${named(change.paths)}.`;
  });
  return [...lines, "Read these files again before you rely on their content."].join("\n");
}

/** The beginning of a turn's query, quoted, as a name for the turn. */
export function queryOf(turn: Pick<TurnRecord, "queries"> | undefined): string {
  const text = (turn?.queries.join(" ") ?? "").replace(/\s+/g, " ").trim();
  if (text === "") return "a turn without a query";
  return JSON.stringify(text.length > MAX_QUERY ? `${text.slice(0, MAX_QUERY)}…` : text);
}

function named(paths: readonly string[]): string {
  const names = paths.slice(0, MAX_NAMES).map((path) => JSON.stringify(path.slice(0, MAX_NAME)));
  const more = paths.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more files` : ""}`;
}
