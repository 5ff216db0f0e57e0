import type { Item, RateLimits } from "../codex/messages/index.ts";
import type { Extent } from "./fit.ts";
import type { SanitizerState } from "./markdown/index.ts";
import { nothingSpent, omittedBlock, type Spent } from "./spent.ts";

/** Text of the model that streams into one block; `block` is absent until something is shown. */
export type OpenText = {
  readonly kind: "message" | "reasoning" | "proposal";
  /** The block of the heading line above the text, if it has one. */
  readonly head: string | undefined;
  readonly block: string | undefined;
  /** The block above it when it was added. */
  readonly above: string;
  /** Whether it is the first block of its section. */
  readonly isFirstInSection: boolean;
  /** A message's phase, as Codex calls it: `commentary`, `final_answer`, … */
  readonly phase: string | undefined;
  /** When it started, in Unix milliseconds; absent if unknown. */
  readonly startedAtMs: number | undefined;
  /** Whether its response was cut off and is requested again: the next text replaces it. */
  readonly cutOff: boolean;
  readonly sanitizer: SanitizerState;
  /** Whether the first line is known; for reasoning, it may be a title. */
  readonly begun: boolean;
  /** The text as received, as far as it is shown. */
  readonly raw: string;
  readonly extent: Extent;
  /** How many characters are left out; undefined while all of it is shown. */
  readonly omittedChars: number | undefined;
  /** Which stream of a reasoning is shown: its summary or its raw content. */
  readonly source: "summary" | "content" | undefined;
  /** The index of its latest part. */
  readonly part: number | undefined;
};

/** The fence under a command: three blocks without gaps, so that output can be appended. */
export type Fence = {
  readonly open: string;
  readonly body: string;
  readonly close: string;
  readonly ticks: number;
  readonly folded: boolean;
};

/** A command that has not completed. */
export type OpenCommand = {
  readonly kind: "command";
  readonly block: string;
  /** The block above the fence: the summary, or the reason below it. */
  readonly anchor: string;
  readonly fence: Fence | undefined;
  readonly script: string;
  readonly cwd: string;
  readonly phase: CommandPhase;
  /** Whether the user has ended it, so that being killed is no failure. */
  readonly isStopped: boolean;
  readonly answer: string | undefined;
  /** The lines of the command at the top of the fence. */
  readonly prompt: readonly string[];
  /** Whether its script was cut, so that more runs than is shown. */
  readonly isCut: boolean;
  readonly output: Output;
  readonly mark: string;
};

/** A patch that has not completed: per file its summary's block, and its diff's once shown. */
export type OpenPatch = {
  readonly kind: "patch";
  readonly files: readonly {
    readonly block: string;
    readonly anchor: string;
    readonly diff: string | undefined;
    readonly folded: boolean;
    readonly change: FileChange;
  }[];
  readonly phase: PatchPhase;
  readonly answer: string | undefined;
  /** How many of its files are left out. */
  readonly omittedFiles: number;
  /** Whether its diffs were cut. */
  readonly isCut: boolean;
};

/**
 * A tool call or other action of Codex: one summary line, replaced at its end, then with details.
 */
export type OpenStep = {
  readonly kind: "step";
  readonly block: string;
  /** The summary if the turn ends before the step does. */
  readonly stopped: string;
};

export type OpenItem = OpenText | OpenCommand | OpenPatch | OpenStep;

/** An approval that waits for the user's answer. */
export type OpenApproval = {
  /** The block that shows it, on which Lua maps the keys. */
  readonly block: string;
  /** The item of the command or patch that it is about; absent for other questions. */
  readonly itemId: string | undefined;
  /** Whether it is about a host; such questions have other answers. */
  readonly isNetwork?: boolean;
  /** The summary without an answer, for approvals that have no item. */
  readonly summary: string;
};

/** Tokens as Codex counts them; `window` is `null` if the model's is unknown. */
export type TokenUsage = {
  readonly last: number;
  readonly total: number;
  readonly window: number | null;
};

/** The state of one turn until its end. */
export type TurnState = {
  readonly running: boolean;
  /** The text beside the running mark of the section's heading. */
  readonly mark: string;
  /** Whether its failure is shown in the text. */
  readonly failed: boolean;
  readonly plan: string | undefined;
  /** The text of a review that ended in it: Codex sends it again as a message. */
  readonly review: string | undefined;
  /** Hosts whose refusal is shown in the text. */
  readonly refused: ReadonlySet<string>;
  readonly retryAfterMs: number | undefined;
  /** The HTTP status of the endpoint's last response. */
  readonly status: number | undefined;
  /** Whether a query from this buffer started it that Codex has not echoed yet. */
  readonly awaitsQuery: boolean;
  /** Whether it is a review, whose query Codex writes itself. */
  readonly reviewing: boolean;
};

/** A turn that has not started. */
export const idleTurn: TurnState = {
  running: false,
  mark: "",
  failed: false,
  plan: undefined,
  review: undefined,
  refused: new Set(),
  retryAfterMs: undefined,
  status: undefined,
  awaitsQuery: false,
  reviewing: false,
};

/** The reducer's state of a conversation: only what is open, never finished content. */
export type ChatState = {
  /** The project's absolute path; paths in the text are relative to it. */
  readonly root: string;
  /** The thread whose notifications count; until it is known, those of all threads do. */
  readonly thread: string | undefined;
  readonly nextBlock: number;
  readonly prefix: string;
  /** The block below which new output is added. */
  readonly tail: string;
  /** The open `## Codex` section, and whether it is empty. */
  readonly section: { readonly heading: string; readonly empty: boolean } | undefined;
  readonly turn: TurnState;
  /** How much the user's last query has added. */
  readonly spent: Spent;
  readonly items: ReadonlyMap<string, OpenItem>;
  readonly approvals: ReadonlyMap<string, OpenApproval>;
  /** The latest finished items, by id. */
  readonly finished: ReadonlyMap<string, FinishedItem>;
  /** Items whose start already contained everything, and which have not completed. */
  readonly completeAtStart: ReadonlyMap<string, Item>;
  /** Output of commands that have not started yet, by item id. */
  readonly earlyOutput: ReadonlyMap<string, string>;
  /** The turn that ended last, and whether its failure is shown in the text. */
  readonly ended: { readonly id: string; readonly failed: boolean } | undefined;
  /** User blocks that were steered and that Codex has not confirmed yet. */
  readonly steered: readonly string[];
  /** User blocks that have started turns since the last turn that completed. */
  readonly asked: readonly string[];
  /** Notices already shown that are shown only once per conversation. */
  readonly shownNotices: ReadonlySet<string>;
  readonly usage: TokenUsage | undefined;
  /** The account's remaining usage, if the endpoint reports it. */
  readonly limits: RateLimits | undefined;
  /** MCP servers that could not be started, and why. */
  readonly brokenServers: ReadonlyMap<string, string>;
  /** The last turn whose compaction is shown, and which message reported it first. */
  readonly compacted: { readonly turn: string; readonly by: "item" | "notice" } | undefined;
  /** The goal as last reported. */
  readonly goal: { readonly objective: string; readonly status: string } | undefined;
};

/**
 * The state of a conversation with nothing open.
 *
 * `prefix` distinguishes the blocks of different host processes in the same buffer.
 */
export function initialState(options: {
  readonly root: string;
  readonly thread?: string;
  readonly prefix?: string;
}): ChatState {
  return {
    root: options.root,
    thread: options.thread,
    nextBlock: 1,
    prefix: options.prefix ?? "c",
    tail: "history",
    section: undefined,
    turn: idleTurn,
    spent: nothingSpent,
    items: new Map(),
    approvals: new Map(),
    finished: new Map(),
    completeAtStart: new Map(),
    earlyOutput: new Map(),
    ended: undefined,
    steered: [],
    asked: [],
    shownNotices: new Set(),
    usage: undefined,
    limits: undefined,
    brokenServers: new Map(),
    compacted: undefined,
    goal: undefined,
  };
}

/** The block of a pending approval, on which the editor maps the keys. */
export function approvalBlock(state: ChatState, id: string): string | undefined {
  const block = state.approvals.get(id)?.block;
  return block === omittedBlock ? undefined : block;
}

/**
 * A finished item: a fingerprint if it completed; otherwise its state when its turn ended or a
 * steer cut it off, so that later messages about it can update its blocks.
 */
export type FinishedItem = { readonly fingerprint: string } | { readonly open: OpenItem };

/** The phase of a command. */
export type CommandPhase =
  | "running"
  | "asks"
  | "ran"
  | "failed"
  | "declined"
  | "stopped"
  | "background";

/** The phase of a patch. */
export type PatchPhase = "running" | "asks" | "done" | "failed" | "declined" | "stopped";

/**
 * One file of a patch as Codex reports it. `diff` has hunks, or for add and delete the raw content.
 */
export type FileChange = {
  readonly path: string;
  readonly kind:
    | { readonly type: "add" }
    | { readonly type: "delete" }
    | { readonly type: "update"; readonly move_path?: string | null | undefined }
    | { readonly type: "unknown" };
  readonly diff: string;
};

type OutputPart = { readonly lines: readonly string[]; readonly chars: number };

/** A command's output so far: its beginning, which is in the text, and its latest lines. */
export type Output = {
  readonly head: OutputPart;
  readonly tail: OutputPart;
  /** Complete raw lines that follow `tail`, as they came. */
  readonly waiting: {
    readonly pieces: readonly { readonly text: string; readonly lines: number }[];
    readonly lines: number;
    readonly chars: number;
  };
  /** How many lines are in none of these. */
  readonly omittedLines: number;
  readonly full: boolean;
  /** The incomplete last line, as received. */
  readonly partial: string;
  /** The end of the incomplete line, kept separately because that line may be long. */
  readonly latest: string;
};
