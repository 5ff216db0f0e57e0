import type { Audit } from "../audit/index.ts";
import type { ChatEvent } from "../chat/index.ts";
import { ok, type Result } from "../result.ts";
import {
  changesOf,
  matcherOf,
  type Snapshot,
  takeSnapshot,
  type WatchChange,
} from "../workspace/index.ts";
import type { AroundTurn, TurnPlace } from "./around-turn.ts";
import { type Failure, STOPPED } from "./failure.ts";

/** What a project's watch is made from. */
export type HostWatchOptions = {
  readonly root: string;
  /** The user's own patterns, as they are now. */
  readonly paths: () => readonly string[];
  readonly audit: Audit;
  readonly now?: () => number;
};

/** The kernel's clock of a file's change may be this much behind ours. */
const CLOCK_MS = 100;
/** How long the look may take when everything is ending. */
const LAST_LOOK_MS = 3000;

type Taken = { readonly snapshot: Snapshot; readonly patterns: string };

/**
 * Tells after each turn which of the files were changed that something on the host runs.
 *
 * What it compares with is the look after the turn before, not one at the turn's beginning: what
 * still runs in the sandbox between two turns is found out as well, and a turn begins without delay.
 * The user's own changes since then cannot be told from it, and the words say so.
 */
export class HostWatch implements AroundTurn {
  readonly #options: HostWatchOptions;
  readonly #now: () => number;
  #last: Taken | undefined;
  /** By conversation: when its turn began. */
  readonly #began = new Map<string, number>();
  /** Looks are taken one after the other: each compares with the one before. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  readonly before = (place: TurnPlace, signal: AbortSignal): Promise<Result<void, Failure>> =>
    this.#inTurn(async () => {
      this.#began.set(place.path, this.#now());
      const patterns = JSON.stringify(this.#options.paths());
      if (this.#last?.patterns === patterns) return ok();
      try {
        this.#last = { snapshot: await this.#look({ signal }), patterns };
      } catch (thrown) {
        if (!signal.aborted) throw thrown;
        return { ok: false, error: STOPPED };
      }
      return ok();
    });

  readonly after = (place: TurnPlace): Promise<readonly ChatEvent[]> =>
    this.#inTurn(async () => {
      const since = this.#began.get(place.path) ?? 0;
      this.#began.delete(place.path);
      return this.#compare(since, place.threadId);
    });

  /** The sandbox has ended: looks a last time, and compares with nothing older from then on. */
  async ended(): Promise<readonly ChatEvent[]> {
    return this.#inTurn(async () => {
      const events = await this.#compare(Number.POSITIVE_INFINITY, undefined, LAST_LOOK_MS);
      this.#last = undefined;
      return events;
    });
  }

  async #compare(
    since: number,
    thread: string | undefined,
    ms?: number,
  ): Promise<readonly ChatEvent[]> {
    const last = this.#last;
    if (last === undefined) return [];
    const bounds = ms === undefined ? {} : { bounds: { ms } };
    const snapshot = await this.#look({ earlier: last.snapshot, ...bounds });
    this.#last = { ...last, snapshot };
    const changes = changesOf(last.snapshot, snapshot);
    for (const change of changes) this.#record(change, thread);
    const isEarlier = ({ atMs }: WatchChange) => atMs !== undefined && atMs < since - CLOCK_MS;
    return [
      ...toldOf(changes.filter(isEarlier), true),
      ...toldOf(
        changes.filter((it) => !isEarlier(it)),
        false,
      ),
      ...cutNote(snapshot),
    ];
  }

  #look(more: Omit<Parameters<typeof takeSnapshot>[0], "root" | "matcher">): Promise<Snapshot> {
    const { root, paths } = this.#options;
    return takeSnapshot({ root, matcher: matcherOf(paths()), ...more });
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

function toldOf(changes: readonly WatchChange[], between: boolean): readonly ChatEvent[] {
  const groups = new Map<string, WatchChange[]>();
  for (const change of changes)
    groups.set(change.runs, [...(groups.get(change.runs) ?? []), change]);
  if (groups.size === 0) return [];
  return [
    { type: "host_runs", between, groups: [...groups].map(([runs, files]) => ({ runs, files })) },
  ];
}

function cutNote({ cut }: Snapshot): readonly ChatEvent[] {
  if (cut === undefined) return [];
  const text = `Not all of the project was looked at for files that run on your machine: ${cut}.`;
  return [{ type: "note", text, once: true }];
}
