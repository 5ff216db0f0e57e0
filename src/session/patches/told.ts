import type { FileUpdateChange } from "../../codex/messages/index.ts";

/** A longer diff is left out: Codex can read the files. */
const MAX_CHARS = 100_000;
const MAX_NAMES = 50;

/**
 * What Codex is told of a patch that the user has changed and applied.
 *
 * SECURITY: the text is partly the files'. It stands in a fence, so that it does not read as the user's
 * own words.
 */
export function toldText(changes: readonly FileUpdateChange[], root: string): string {
  const names = changes.map(({ path }) => JSON.stringify(path.slice(root.length + 1)));
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  const head = `The user changed your patch and applied it in that form, in the place of yours. These files are changed: ${names.slice(0, MAX_NAMES).join(", ")}${more}. Do not apply your patch again; go on from the files as they are now.`;
  const diff = changes.map((change) => diffOf(change, root)).join("");
  if (diff.length > MAX_CHARS) return `${head} Read them before you change them.`;
  const ticks = "`".repeat(longestRun(diff) + 1);
  return `${head} This is what was applied:\n\n${ticks}diff\n${diff}${ticks}`;
}

function diffOf({ path, kind, diff }: FileUpdateChange, root: string): string {
  const name = path.slice(root.length + 1);
  const move = kind.type === "update" ? kind.move_path : undefined;
  const from = kind.type === "add" ? "/dev/null" : `a/${name}`;
  const to =
    kind.type === "delete" ? "/dev/null" : `b/${move == null ? name : move.slice(root.length + 1)}`;
  return `--- ${from}\n+++ ${to}\n${hunks(kind.type, diff)}`;
}

function hunks(type: FileUpdateChange["kind"]["type"], text: string): string {
  if (type === "update" || type === "unknown") return text;
  if (text === "") return "";
  const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
  const sign = type === "add" ? "+" : "-";
  const head = type === "add" ? `@@ -0,0 +1,${lines.length} @@` : `@@ -1,${lines.length} +0,0 @@`;
  const end = text.endsWith("\n") ? "" : "\\ No newline at end of file\n";
  return `${head}\n${lines.map((line) => `${sign}${line}\n`).join("")}${end}`;
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2);
}
