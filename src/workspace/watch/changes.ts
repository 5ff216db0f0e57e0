import { shown } from "./open-directory.ts";
import { changedParts, type PartChange } from "./part.ts";
import { RULES } from "./table.ts";
import type { Watched, WatchSnapshot } from "./watched.ts";

/** A file that something on the host runs, and what became of it. */
export type WatchChange = {
  /** From the project's top. SECURITY: of the agent's making. */
  readonly path: string;
  readonly change:
    | "created"
    | "changed"
    | "removed"
    | "made executable"
    | "made set-id"
    | "linked"
    | `cannot be looked at (${string})`;
  /** Which parts of it, where not all of it counts. */
  readonly parts: readonly PartChange[];
  /** Where a link leads to. */
  readonly to?: string;
  readonly runs: string;
  /** When, at the latest; undefined of what is gone. Milliseconds since 1970. */
  readonly atMs: number | undefined;
};

/** What changed, by what runs it: first what needs the least of the user's doing. */
export function changesOf(before: WatchSnapshot, after: WatchSnapshot): readonly WatchChange[] {
  const changes = [...after.watched].flatMap(([path, now]) => {
    const was = before.watched.get(path);
    const isNothing = was === undefined && isEmpty(now);
    const change = isNothing ? undefined : was === undefined ? created(now) : changed(was, now);
    return change === undefined ? [] : [{ path, runs: now.runs, ...change }];
  });
  // Whether it was there before or not: this look sees less than there is.
  const unseen = [...after.unseen].flatMap(([path, now]) =>
    before.unseen.get(path)?.hash === now.hash ? [] : [{ path, runs: now.runs, ...created(now) }],
  );
  // What was not looked at is not gone.
  const gone = after.cut === undefined ? [...before.watched] : [];
  const removed = gone.flatMap(([path, was]) =>
    after.watched.has(path) || ["program", "set-id", "link"].includes(was.kind) || isEmpty(was)
      ? []
      : [{ path, change: "removed" as const, parts: [], runs: was.runs, atMs: undefined }],
  );
  return [...changes, ...unseen, ...removed]
    .sort(
      (a, b) => orderOf(a) - orderOf(b) || depthOf(a) - depthOf(b) || (a.path < b.path ? -1 : 1),
    )
    .map((it) => ({ ...it, path: nameOf(it.path) }));
}

/** What could not be looked at before either, and why. SECURITY: paths are the agent's. */
export function stillUnreadable(
  before: WatchSnapshot,
  after: WatchSnapshot,
): readonly { readonly path: string; readonly why: string }[] {
  return [...after.unseen]
    .filter(([path]) => before.unseen.has(path))
    .map(([path, { why = "" }]) => ({ path: nameOf(path), why }));
}

type Change = Pick<WatchChange, "change" | "parts" | "to" | "atMs">;

function created(now: Watched): Change {
  const atMs = now.arrivedAtMs;
  if (now.kind === "unseen") return { change: `cannot be looked at (${now.why})`, parts: [], atMs };
  if (now.kind === "set-id") return { change: "made set-id", parts: [], atMs };
  if (now.kind === "program") return { change: "made executable", parts: [], atMs };
  if (now.kind === "link") return { change: "linked", parts: [], to: shown(now.to ?? ""), atMs };
  const parts = now.kind === "file" ? changedParts(new Map(), now.parts ?? new Map()) : [];
  return { change: "created", parts, atMs };
}

function changed(was: Watched, now: Watched): Change | undefined {
  // What was unseen is compared with what was seen last.
  const seen = was.kind === "unseen" && now.kind !== "unseen" ? (was.seen ?? was) : was;
  if (seen.kind === now.kind && seen.hash === now.hash) return undefined;
  if (now.kind === "set-id" || now.kind === "unseen") return created(now);
  // A link whose target was changed has not been made a link.
  if (now.kind === "link" && (seen.kind !== "link" || seen.to !== now.to)) return created(now);
  const atMs = seen.inode === now.inode ? now.changedAtMs : now.arrivedAtMs;
  if (seen.parts === undefined || now.parts === undefined)
    return { change: "changed", parts: [], atMs };
  const parts = changedParts(seen.parts, now.parts);
  if (parts.length === 0) return undefined;
  return { change: "changed", parts, atMs: latestOf(parts, seen, now) ?? atMs };
}

/** When the latest of these parts was changed, where they are files of a directory that stayed. */
function latestOf(
  parts: readonly PartChange[],
  was: Watched,
  { partTimes, inode }: Watched,
): number | undefined {
  if (partTimes === undefined || was.inode !== inode) return undefined;
  const times = parts.map(({ kind, name }) => partTimes.get(`${kind} \0${name}`));
  // Of a part that is gone only its directory's change is known.
  return times.every((it) => it !== undefined) ? Math.max(...times) : undefined;
}

/** Whether nothing in it is run, as in a package.json without scripts. */
function isEmpty({ parts, kind }: Watched): boolean {
  return kind === "file" && parts !== undefined && parts.size === 0;
}

/** Repositories and links come first, then what the table has, in its order. */
const ORDER: ReadonlyMap<string, number> = new Map(RULES.map(({ runs }, n) => [runs, n]));

function orderOf({ runs }: { readonly runs: string }): number {
  return ORDER.get(runs) ?? -1;
}

function depthOf({ path }: { readonly path: string }): number {
  return path.split("/").length;
}

function nameOf(path: string): string {
  return path === "" ? "./" : shown(path).replace(/\/\.$/, "/");
}
