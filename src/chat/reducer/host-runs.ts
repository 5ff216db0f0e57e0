import type { LocalEvent } from "../event.ts";
import { codeSpan, countOf } from "../fences.ts";
import { append, type Draft, notice } from "../reducer-context.ts";

type HostRuns = Extract<LocalEvent, { type: "host_runs" }>;
type Group = HostRuns["groups"][number];
type File = Group["files"][number];

/** How many files per group are named, and how many parts per file. */
const MAX_NAMED = 3;

const BETWEEN =
  "and was changed after the last turn, by you or by a program that was still running in the sandbox";

/**
 * Shows which changed files the user's machine runs, one line per program that runs them. SECURITY:
 * the agent chose the paths and the names of parts.
 */
export function showHostRuns(draft: Draft, { groups, between }: HostRuns): void {
  if (groups.length === 0) return;
  const head = `runs on your machine${between ? `, ${BETWEEN}` : ""}:`;
  const [only, ...others] = groups.map(line);
  if (only !== undefined && others.length === 0)
    append(draft, [notice("Note", `${head} ${only}`)], "end");
  else
    append(
      draft,
      [notice("Note", head), ">", ...groups.map((group) => `> - ${line(group)}`)],
      "end",
    );
}

function line({ files, runs }: Group): string {
  const named = files.slice(0, MAX_NAMED).map(fileText);
  const more = files.length - named.length;
  const what = more === 0 ? named.join(", ") : `${named.join(", ")} and ${countOf(more, "other")}`;
  return `${what}: ${runs}.`;
}

function fileText({ path, change, parts, to }: File): string {
  const named = parts.slice(0, MAX_NAMED).map(({ kind, name }) => `${kind} ${codeSpan(name, 60)}`);
  const more = parts.length > named.length ? ` and ${parts.length - named.length} more` : "";
  const which = named.length === 0 ? "" : ` (${named.join(", ")}${more})`;
  const where = to === undefined ? "" : ` to ${codeSpan(to, 80)}`;
  return `${codeSpan(path, 100)}${which} ${change}${where}`;
}
