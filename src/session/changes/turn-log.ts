import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";

/** A turn has begun: the checkpoint from before it. */
const Begin = z.object({
  type: z.literal("begin"),
  turn: z.string(),
  thread: z.string(),
  /** The conversation's file. */
  chat: z.string(),
  queries: z.array(z.string()),
  atMs: z.number(),
  before: z.string(),
  /** The host that runs it, as `/proc` knows its process. */
  process: z.string(),
});

/** It is over: the checkpoint from after it. */
const End = z.object({
  type: z.literal("end"),
  turn: z.string(),
  atMs: z.number(),
  after: z.string(),
  /** The host died in the turn; the checkpoint is the first one after that. */
  late: z.boolean().optional(),
});

/** The user took turns back, or brought back what was taken back. */
const Change = z.object({
  type: z.literal("change"),
  id: z.string(),
  kind: z.enum(["undo", "redo"]),
  thread: z.string(),
  chat: z.string(),
  turns: z.array(z.string()),
  /** Of a redo: the change that it brings back. */
  of: z.string().optional(),
  atMs: z.number(),
  before: z.string(),
  after: z.string(),
  /** Paths of the files, for Codex and the user. */
  paths: z.array(z.string()),
});
export type Change = Readonly<z.infer<typeof Change>>;

/**
 * A change that is not Codex's to answer for any more: the user has accepted it, or has made it. The
 * checkpoints differ in that change alone.
 */
const Settle = z.object({
  type: z.literal("settle"),
  id: z.string(),
  why: z.enum(["accepted", "own"]),
  atMs: z.number(),
  from: z.string(),
  to: z.string(),
});
export type Settle = Readonly<z.infer<typeof Settle>>;

/** The user takes such a line back. */
const Unsettle = z.object({ type: z.literal("unsettle"), of: z.string() });

const Line = z.discriminatedUnion("type", [Begin, End, Change, Settle, Unsettle]);
type Line = z.infer<typeof Line>;

/** A turn and what it changed. */
export type TurnRecord = {
  readonly id: string;
  readonly thread: string;
  readonly chat: string;
  readonly queries: readonly string[];
  readonly beganMs: number;
  readonly process: string;
  /** Checkpoints, as commits; no `after` while the turn runs, or if its host died. */
  readonly before: string;
  readonly after: string | undefined;
  readonly endedMs: number | undefined;
  /** The change that took it back and was not brought back since. */
  readonly undoneBy: string | undefined;
};

/** All that a log says. */
export type TurnHistory = {
  /** In the order in which they began. */
  readonly turns: readonly TurnRecord[];
  readonly changes: readonly Change[];
  readonly settled: readonly Settle[];
};

type Began = Omit<z.infer<typeof Begin>, "type" | "queries"> & {
  readonly queries: readonly string[];
};

/** A longer query is cut: it is only recognized by its beginning then. */
const MAX_QUERY_CHARS = 20_000;

/**
 * The turns of a project and their checkpoints, a line of JSON for each event. Several Neovims append
 * to the same file; a line that a crash has cut off is skipped.
 */
export class TurnLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  begin({ queries: all, ...turn }: Began): Promise<void> {
    const queries = all.map((query) => query.slice(0, MAX_QUERY_CHARS));
    return this.#append({ type: "begin", ...turn, queries });
  }

  end(end: Omit<z.infer<typeof End>, "type">): Promise<void> {
    return this.#append({ type: "end", ...end });
  }

  change(change: Omit<Change, "type">): Promise<void> {
    return this.#append({ type: "change", ...change });
  }

  settle(settle: Omit<Settle, "type">): Promise<void> {
    return this.#append({ type: "settle", ...settle });
  }

  unsettle(of: string): Promise<void> {
    return this.#append({ type: "unsettle", of });
  }

  async read(): Promise<TurnHistory> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const found: Found = { turns: new Map(), changes: new Map(), settled: new Map() };
    for (const line of linesOf(text)) add(line, found);
    const { turns, changes, settled } = found;
    return {
      turns: [...turns.values()],
      changes: [...changes.values()],
      settled: [...settled.values()],
    };
  }

  async #append(line: Line): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    // The line break comes first as well, so that a line that was cut off spoils no other.
    await appendFile(this.#path, `\n${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

type Found = {
  readonly turns: Map<string, TurnRecord>;
  readonly changes: Map<string, Change>;
  readonly settled: Map<string, Settle>;
};

function add(line: Line, { turns, changes, settled }: Found): void {
  switch (line.type) {
    case "begin": {
      const { turn: id, thread, chat, queries, atMs, before, process } = line;
      turns.set(id, {
        ...{ id, thread, chat, queries, process, before, beganMs: atMs },
        ...{ after: undefined, endedMs: undefined, undoneBy: undefined },
      });
      break;
    }
    case "end": {
      const turn = turns.get(line.turn);
      if (turn !== undefined && turn.after === undefined)
        turns.set(turn.id, { ...turn, after: line.after, endedMs: line.atMs });
      break;
    }
    case "change": {
      // A change that a crash interrupted may have been recorded twice.
      changes.set(line.id, line);
      for (const id of line.turns) {
        const turn = turns.get(id);
        if (turn !== undefined)
          turns.set(id, { ...turn, undoneBy: line.kind === "undo" ? line.id : undefined });
      }
      break;
    }
    case "settle":
      settled.set(line.id, line);
      break;
    case "unsettle":
      settled.delete(line.of);
      break;
    default:
      line satisfies never;
  }
}

function linesOf(text: string): readonly Line[] {
  return text.split("\n").flatMap((each) => {
    if (each === "") return [];
    try {
      const parsed = Line.safeParse(JSON.parse(each));
      return parsed.success ? [parsed.data] : [];
    } catch {
      return [];
    }
  });
}
