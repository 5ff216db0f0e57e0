import type { Audit } from "../../audit/index.ts";
import { type ChatEvent, codeSpan } from "../../chat/index.ts";
import { statsAt } from "../../look.ts";
import { ok, type Result } from "../../result.ts";
import type { snapshotWatched, WatchChange, WatchSnapshot } from "../../workspace/watch/index.ts";
import { type Failure, STOPPED } from "../failure.ts";
import type { HookedTurn, TurnHook } from "./turn-hook.ts";

/** What a project's watch is made from. */
export type HostWatchOptions = {
  readonly root: string;
  /** The user's own patterns, as they are now. */
  readonly paths: () => readonly string[];
  readonly audit: Audit;
  readonly now?: () => number;
  /** How long the look at the beginning of a turn may delay it. */
  readonly firstLookMs?: number;
};

/** A file's time of change may be this much behind the host's clock. */
const CLOCK_MS = 100;
/** How long the look may take when everything is ending. */
const LAST_LOOK_MS = 3000;
/** How long the look at the beginning of a turn may delay it. */
const FIRST_LOOK_MS = 400;

type Taken = { readonly snapshot: WatchSnapshot; readonly patterns: string };
/** A change, and whether it was after the last turn and before this one. */
type Dated = { readonly change: WatchChange; readonly between: boolean };

/**
 * Reports after each turn which files were changed that something on the host runs.
 *
 * It compares with the look after the turn before, not with one at the turn's beginning, so that it
 * also finds what processes in the sandbox changed between two turns. It cannot tell those changes
 * from the user's own, and its words say so.
 *
 * A look at the turn's beginning finds what was changed before it. In a project so large that this
 * would delay the turn, the kernel's times of the files decide, and where they do not, the change
 * counts as one of the turn.
 */
export class HostWatch implements TurnHook {
  readonly #options: HostWatchOptions;
  readonly #now: () => number;
  #last: Taken | undefined;
  /** By conversation: when its turn began. */
  readonly #began = new Map<string, number>();
  /** Found at the beginning of a turn, to be reported at its end. */
  #found: readonly Dated[] = [];
  /** Looks run one after the other: each compares with the one before. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  readonly before = (place: HookedTurn, signal: AbortSignal): Promise<Result<void, Failure>> =>
    this.#inTurn(async () => {
      const isAlone = this.#began.size === 0;
      const patterns = JSON.stringify(this.#options.paths());
      try {
        if (this.#last?.patterns !== patterns)
          this.#last = { snapshot: await this.#look({ signal }), patterns };
        else await this.#lookBefore(this.#last, isAlone, signal);
      } catch (thrown) {
        if (!signal.aborted) throw thrown;
        return { ok: false, error: STOPPED };
      }
      this.#began.set(place.path, this.#now());
      return ok();
    });

  readonly after = (place: HookedTurn): Promise<readonly ChatEvent[]> =>
    this.#inTurn(async () => {
      // What was changed while any turn ran is not said to have been changed between turns.
      const since = Math.min(...this.#began.values());
      this.#began.delete(place.path);
      return this.#compare(since, place.threadId);
    });

  /** The sandbox has ended: looks once more, and begins from nothing after that. */
  async ended(): Promise<readonly ChatEvent[]> {
    return this.#inTurn(async () => {
      const since = Math.min(...this.#began.values());
      const events = await this.#compare(since, undefined, LAST_LOOK_MS);
      this.#last = undefined;
      return events;
    });
  }

  /** Changes that are there now are not those of the turn that begins. */
  async #lookBefore(last: Taken, isAlone: boolean, signal: AbortSignal): Promise<void> {
    const ms = this.#options.firstLookMs ?? FIRST_LOOK_MS;
    if (last.snapshot.tookMs > ms) return;
    const bounds = { ms };
    const snapshot = await this.#look({ earlier: last.snapshot, bounds, signal });
    // Half a look would take what it has not seen for unchanged.
    if (snapshot.cut !== undefined) return;
    this.#last = { ...last, snapshot };
    const { changesOf } = await loadWatch();
    const changes = changesOf(last.snapshot, snapshot);
    for (const change of changes) this.#record(change, undefined);
    this.#found = [...this.#found, ...changes.map((change) => ({ change, between: isAlone }))];
  }

  async #compare(
    since: number,
    thread: string | undefined,
    ms?: number,
  ): Promise<readonly ChatEvent[]> {
    const found = this.#found;
    this.#found = [];
    const last = this.#last;
    // In a project that is gone there is nothing to run.
    const isThere = (await statsAt(this.#options.root).catch(() => null)) !== undefined;
    if (last === undefined || !isThere) return told(found);
    const bounds = ms === undefined ? {} : { bounds: { ms } };
    const snapshot = await this.#look({ earlier: last.snapshot, ...bounds });
    this.#last = { ...last, snapshot };
    const { changesOf, stillUnreadable } = await loadWatch();
    const changes = changesOf(last.snapshot, snapshot);
    for (const change of changes) this.#record(change, thread);
    const isBetween = ({ atMs }: WatchChange) =>
      since === Number.POSITIVE_INFINITY || (atMs !== undefined && atMs < since - CLOCK_MS);
    const dated = changes.map((change) => ({ change, between: isBetween(change) }));
    return [
      ...told([...found, ...dated]),
      ...cutNote(snapshot.cut, stillUnreadable(last.snapshot, snapshot)),
    ];
  }

  async #look(
    more: Omit<Parameters<typeof snapshotWatched>[0], "root" | "matcher">,
  ): Promise<WatchSnapshot> {
    const { root, paths } = this.#options;
    const { pathMatcher, snapshotWatched } = await loadWatch();
    return snapshotWatched({ root, matcher: pathMatcher(paths()), ...more });
  }

  #record({ path, change, parts, to, runs }: WatchChange, thread: string | undefined): void {
    const what = to ?? parts.map(({ kind, name }) => `${kind} ${name}`).join(", ");
    this.#options.audit.record({
      event: "protected_file",
      thread,
      path,
      change,
      ...(what === "" ? {} : { what }),
      runs,
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}

/** A chat that is only read needs no watch. */
function loadWatch() {
  return import("../../workspace/watch/index.ts");
}

function told(all: readonly Dated[]): readonly ChatEvent[] {
  return [true, false].flatMap((between) =>
    toldOf(
      all.filter((entry) => entry.between === between).map(({ change }) => change),
      between,
    ),
  );
}

function toldOf(changes: readonly WatchChange[], between: boolean): readonly ChatEvent[] {
  const groups = new Map<string, WatchChange[]>();
  for (const change of changes)
    groups.set(change.runs, [...(groups.get(change.runs) ?? []), change]);
  if (groups.size === 0) return [];
  return [
    { type: "host_runs", between, groups: [...groups].map(([runs, files]) => ({ runs, files })) },
  ];
}

/** How many directories are named that could not be accessed. */
const MAX_NAMED = 3;

/** Names what could not be accessed, except what is reported as a change. */
function cutNote(
  cut: string | undefined,
  unseen: readonly { readonly path: string; readonly why: string }[],
): readonly ChatEvent[] {
  // SECURITY: paths are the agent's.
  const named = unseen
    .slice(0, MAX_NAMED)
    .map((entry) => `${codeSpan(entry.path, 100)} (${entry.why})`);
  const more = unseen.length > MAX_NAMED ? ` and ${unseen.length - MAX_NAMED} more` : "";
  const why = [
    ...(cut === undefined ? [] : [cut]),
    ...(unseen.length === 0 ? [] : [`these cannot be accessed: ${named.join(", ")}${more}`]),
  ].join("; ");
  if (why === "") return [];
  const text = `Not all of the project was searched for files that run on your machine: ${why}.`;
  return [{ type: "note", text, once: true }];
}
