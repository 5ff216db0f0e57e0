import { shown } from "./directory.ts";
import { changedParts, type PartChange } from "./part.ts";
import type { Snapshot, Watched } from "./snapshot.ts";
import { RULES } from "./table.ts";

/** A file that something on the host runs, and what became of it. */
export type WatchChange = {
  /** From the project's top. SECURITY: of the agent's making. */
  readonly path: string;
  readonly change: "created" | "changed" | "removed" | "made executable" | "made set-id" | "linked";
  /** Which parts of it, where not all of it counts. */
  readonly parts: readonly PartChange[];
  /** Where a link leads to. */
  readonly to?: string;
  readonly runs: string;
  /** When; undefined of what is gone. Milliseconds since 1970. */
  readonly atMs: number | undefined;
};

/** What changed, by what runs it: first what needs the least of the user's doing. */
export function changesOf(before: Snapshot, after: Snapshot): readonly WatchChange[] {
  const changes = [...after.watched].flatMap(([path, now]) => {
    const was = before.watched.get(path);
    const change = was === undefined ? created(now) : changed(was, now);
    return change === undefined ? [] : [{ path, ...change, runs: now.runs, atMs: now.changedAtMs }];
  });
  // What was not looked at is not gone.
  const gone = after.cut === undefined ? [...before.watched] : [];
  const removed = gone.flatMap(([path, was]) =>
    after.watched.has(path) || ["program", "set-id", "link"].includes(was.kind) || isEmpty(was)
      ? []
      : [{ path, change: "removed" as const, parts: [], runs: was.runs, atMs: undefined }],
  );
  return [...changes, ...removed]
    .sort(
      (a, b) => orderOf(a) - orderOf(b) || depthOf(a) - depthOf(b) || (a.path < b.path ? -1 : 1),
    )
    .map((it) => ({ ...it, path: shown(it.path).replace(/\/\.$/, "/") }));
}

type Change = Pick<WatchChange, "change" | "parts" | "to">;

function created(now: Watched): Change | undefined {
  if (now.kind === "set-id") return { change: "made set-id", parts: [] };
  if (now.kind === "program") return { change: "made executable", parts: [] };
  if (now.kind === "link") return { change: "linked", parts: [], to: shown(now.hash) };
  if (now.kind === "file" && isEmpty(now)) return undefined;
  const parts = now.kind === "file" ? changedParts(new Map(), now.parts ?? new Map()) : [];
  return { change: "created", parts };
}

function changed(was: Watched, now: Watched): Change | undefined {
  if (was.kind === now.kind && was.hash === now.hash) return undefined;
  if (now.kind === "link") return { change: "linked", parts: [], to: shown(now.hash) };
  if (now.kind === "set-id") return created(now);
  if (was.parts === undefined || now.parts === undefined) return { change: "changed", parts: [] };
  const parts = changedParts(was.parts, now.parts);
  return parts.length === 0 ? undefined : { change: "changed", parts };
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
