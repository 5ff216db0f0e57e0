import { shownPath } from "../byte-path.ts";
import { changedParts, type PartChange } from "./manifest-fields.ts";
import { RULES } from "./patterns.ts";
import type { Watched, WatchSnapshot } from "./watched.ts";

/** A change of a file that a program on the host runs. */
export type WatchChange = {
  /** From the project's top. SECURITY: the agent chose this name. */
  readonly path: string;
  readonly change:
    | "created"
    | "changed"
    | "removed"
    | "made executable"
    | "made set-id"
    | "linked"
    | `cannot be accessed (${string})`;
  /** Which parts changed, if only parts of the file are watched. */
  readonly parts: readonly PartChange[];
  /** Where a link leads to. */
  readonly to?: string;
  readonly runs: string;
  /** The time of the change, at the latest, in milliseconds since 1970; undefined if removed. */
  readonly atMs: number | undefined;
};

/** The changes between two snapshots; files that run with the least action of the user come first. */
export function changesOf(before: WatchSnapshot, after: WatchSnapshot): readonly WatchChange[] {
  const changes = [...after.watched].flatMap(([path, now]) => {
    const was = before.watched.get(path);
    const isNothing = was === undefined && isEmpty(now);
    const change = isNothing ? undefined : was === undefined ? created(now) : changed(was, now);
    return change === undefined ? [] : [{ path, runs: now.runs, ...change }];
  });
  // Reported whether or not they were there before: this snapshot sees only a part.
  const unreadable = [...after.unreadable].flatMap(([path, now]) =>
    before.unreadable.get(path)?.hash === now.hash
      ? []
      : [{ path, runs: now.runs, ...created(now) }],
  );
  // In an incomplete snapshot a missing file is not a removed one.
  const gone = after.cut === undefined ? [...before.watched] : [];
  const removed = gone.flatMap(([path, was]) =>
    after.watched.has(path) || ["program", "set-id", "link"].includes(was.kind) || isEmpty(was)
      ? []
      : [{ path, change: "removed" as const, parts: [], runs: was.runs, atMs: undefined }],
  );
  return [...changes, ...unreadable, ...removed]
    .sort(
      (a, b) => orderOf(a) - orderOf(b) || depthOf(a) - depthOf(b) || (a.path < b.path ? -1 : 1),
    )
    .map((change) => ({ ...change, path: nameOf(change.path) }));
}

/** Paths that are still unreadable, and why. SECURITY: the agent chose these names. */
export function stillUnreadable(
  before: WatchSnapshot,
  after: WatchSnapshot,
): readonly { readonly path: string; readonly why: string }[] {
  return [...after.unreadable]
    .filter(([path]) => before.unreadable.has(path))
    .map(([path, { why = "" }]) => ({ path: nameOf(path), why }));
}

type Change = Pick<WatchChange, "change" | "parts" | "to" | "atMs">;

function created(now: Watched): Change {
  const atMs = now.arrivedAtMs;
  if (now.kind === "unreadable")
    return { change: `cannot be accessed (${now.why})`, parts: [], atMs };
  if (now.kind === "set-id") return { change: "made set-id", parts: [], atMs };
  if (now.kind === "program") return { change: "made executable", parts: [], atMs };
  if (now.kind === "link")
    return { change: "linked", parts: [], to: shownPath(now.to ?? ""), atMs };
  const parts = now.kind === "file" ? changedParts(new Map(), now.parts ?? new Map()) : [];
  return { change: "created", parts, atMs };
}

function changed(was: Watched, now: Watched): Change | undefined {
  // A file that was unreadable is compared with its last readable state.
  const seen = was.kind === "unreadable" && now.kind !== "unreadable" ? (was.seen ?? was) : was;
  if (seen.kind === now.kind && seen.hash === now.hash) return undefined;
  if (now.kind === "set-id" || now.kind === "unreadable") return created(now);
  // A link whose target file changed was not newly linked.
  if (now.kind === "link" && (seen.kind !== "link" || seen.to !== now.to)) return created(now);
  const atMs = seen.inode === now.inode ? now.changedAtMs : now.arrivedAtMs;
  if (seen.parts === undefined || now.parts === undefined)
    return { change: "changed", parts: [], atMs };
  const parts = changedParts(seen.parts, now.parts);
  if (parts.length === 0) return undefined;
  return { change: "changed", parts, atMs: latestOf(parts, seen, now) ?? atMs };
}

/** When the latest of these parts changed, if they are files of the same directory as before. */
function latestOf(
  parts: readonly PartChange[],
  was: Watched,
  { partTimes, inode }: Watched,
): number | undefined {
  if (partTimes === undefined || was.inode !== inode) return undefined;
  const times = parts.map(({ kind, name }) => partTimes.get(`${kind} \0${name}`));
  // For a removed part only the time of its directory is known.
  return times.every((time) => time !== undefined) ? Math.max(...times) : undefined;
}

/** Whether nothing in the file is run, as in a package.json without scripts. */
function isEmpty({ parts, kind }: Watched): boolean {
  return kind === "file" && parts !== undefined && parts.size === 0;
}

/** Repositories and links come first, then the rules in the order of the table. */
const ORDER: ReadonlyMap<string, number> = new Map(RULES.map(({ runs }, n) => [runs, n]));

function orderOf({ runs }: { readonly runs: string }): number {
  return ORDER.get(runs) ?? -1;
}

function depthOf({ path }: { readonly path: string }): number {
  return path.split("/").length;
}

function nameOf(path: string): string {
  return path === "" ? "./" : shownPath(path).replace(/\/\.$/, "/");
}
