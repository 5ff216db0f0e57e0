import type { Item, RateLimits } from "../codex/messages/index.ts";
import type { Extent } from "./fit.ts";
import type { SanitizerState } from "./markdown/index.ts";
import { nothingSpent, omittedBlock, type Spent } from "./spent.ts";

/** The model's words as they stream into one block; `block` is absent until something shows. */
export type OpenText = {
  readonly kind: "message" | "reasoning" | "proposal";
  /** The line above them that says what they are, where it is a block of its own. */
  readonly head: string | undefined;
  readonly block: string | undefined;
  /** The block that stood above it when it was made. */
  readonly above: string;
  /** Whether nothing stands above it in its section. */
  readonly isFirstInSection: boolean;
  /** What a message is to the answer, as Codex tells it: `commentary`, `final_answer`, … */
  readonly phase: string | undefined;
  /** When it began, in Unix milliseconds; absent where that is not told. */
  readonly startedAtMs: number | undefined;
  /** Whether its answer broke off and is asked for again: the next words come in its place. */
  readonly cutOff: boolean;
  readonly sanitizer: SanitizerState;
  /** Whether the first line is known, which of reasoning may be a title. */
  readonly begun: boolean;
  /** All that came, as it came, as far as it is shown. */
  readonly raw: string;
  readonly extent: Extent;
  /** How many characters of it are not shown; undefined while it is shown whole. */
  readonly omittedChars: number | undefined;
  /** Which stream of a reasoning is shown: its summary wins over its raw content. */
  readonly source: "summary" | "content" | undefined;
  /** The number of the part of it that came last. */
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
  /** The block that the fence stands under: the summary, or the reason below it. */
  readonly anchor: string;
  readonly fence: Fence | undefined;
  readonly script: string;
  readonly cwd: string;
  readonly phase: CommandPhase;
  /** Whether the user has ended it, so that being killed is no failure. */
  readonly isStopped: boolean;
  readonly answer: string | undefined;
  /** Lines of the command itself at the top of the fence. */
  readonly prompt: readonly string[];
  /** Whether its script is not all that runs. */
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
  /** How many files of it are not shown. */
  readonly omittedFiles: number;
  /** Whether the diffs are not all of the patch. */
  readonly isCut: boolean;
};

/** A tool call or other doing of Codex: one summary line, completed by a second one and details. */
export type OpenStep = {
  readonly kind: "step";
  readonly block: string;
  /** The summary where the turn ends before the step does. */
  readonly stopped: string;
};

export type OpenItem = OpenText | OpenCommand | OpenPatch | OpenStep;

/** An approval that the user has not answered. */
export type OpenApproval = {
  /** The block that shows it: where Lua puts the keys. */
  readonly block: string;
  /** The command or patch it is about; absent for other questions. */
  readonly itemId: string | undefined;
  /** Whether it is about a host, which has answers of its own. */
  readonly isNetwork?: boolean;
  /** The summary without an answer, for approvals that have no item. */
  readonly summary: string;
};

/** Tokens as Codex counts them; `window` is `null` where the model's is unknown. */
export type TokenUsage = {
  readonly last: number;
  readonly total: number;
  readonly window: number | null;
};

/** What one turn must remember until its end. */
export type TurnState = {
  readonly running: boolean;
  /** Words beside the running mark of the section's heading. */
  readonly mark: string;
  /** Whether its failure stands in the text. */
  readonly failed: boolean;
  readonly plan: string | undefined;
  /** The text of a review that ended in it: Codex says it once more, as a message. */
  readonly review: string | undefined;
  /** Hosts whose refusal stands in the text. */
  readonly refused: ReadonlySet<string>;
  readonly retryAfterMs: number | undefined;
  /** The HTTP status of the endpoint's last answer. */
  readonly status: number | undefined;
  /** Whether a query of ours began it that Codex has not told back. */
  readonly awaitsQuery: boolean;
  /** Whether it is a review, whose query Codex words itself. */
  readonly reviewing: boolean;
};

/** A turn that has not begun. */
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

/** A conversation as the reducer sees it: what is open, never what is finished. */
export type ChatState = {
  /** The project's absolute path, which paths in the text are relative to. */
  readonly root: string;
  /** The thread whose notifications count; absent until it is known, when all do. */
  readonly thread: string | undefined;
  readonly nextBlock: number;
  readonly prefix: string;
  /** The block that new output goes under. */
  readonly tail: string;
  /** The `## Codex` section being written, and whether nothing stands in it yet. */
  readonly section: { readonly heading: string; readonly empty: boolean } | undefined;
  readonly turn: TurnState;
  /** How much came for the user's last query. */
  readonly spent: Spent;
  readonly items: ReadonlyMap<string, OpenItem>;
  readonly approvals: ReadonlyMap<string, OpenApproval>;
  /** The latest items that are over, by id. */
  readonly finished: ReadonlyMap<string, FinishedItem>;
  /** Items that said all there is of them when they began, and have not completed. */
  readonly completeAtStart: ReadonlyMap<string, Item>;
  /** Output of commands that have not begun yet, by the item's id. */
  readonly earlyOutput: ReadonlyMap<string, string>;
  /** The turn that ended last, and whether its failure stands in the text. */
  readonly ended: { readonly id: string; readonly failed: boolean } | undefined;
  /** User blocks that were steered and that Codex has not taken yet. */
  readonly steered: readonly string[];
  /** User blocks that turns have begun with since the last turn that completed. */
  readonly asked: readonly string[];
  /** Notices that are told once in a conversation. */
  readonly shownNotices: ReadonlySet<string>;
  readonly usage: TokenUsage | undefined;
  /** What the account may still use, where the endpoint tells it. */
  readonly limits: RateLimits | undefined;
  /** MCP servers that could not be started, and why. */
  readonly brokenServers: ReadonlyMap<string, string>;
  /** The last turn whose compaction stands in the text, and what told of it first. */
  readonly compacted: { readonly turn: string; readonly by: "item" | "notice" } | undefined;
  /** The goal as it was told last. */
  readonly goal: { readonly objective: string; readonly status: string } | undefined;
};

/**
 * A conversation of which nothing is open.
 *
 * `prefix` sets the blocks of one host's life apart from those of another on the same buffer.
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

/** The block that shows an approval that waits, where the editor puts its keys. */
export function approvalBlock(state: ChatState, id: string): string | undefined {
  const block = state.approvals.get(id)?.block;
  return block === omittedBlock ? undefined : block;
}

/**
 * An item that is over: what it said, if it completed; else what it was when its turn ended or a steer
 * cut it off, so that what is told of it later finds its place.
 */
export type FinishedItem = { readonly fingerprint: string } | { readonly open: OpenItem };

/** How a command came to where it is. */
export type CommandPhase =
  | "running"
  | "asks"
  | "ran"
  | "failed"
  | "declined"
  | "stopped"
  | "background";

/** How a patch came to where it is. */
export type PatchPhase = "running" | "asks" | "done" | "failed" | "declined" | "stopped";

/** One file of a patch, as Codex reports it: `diff` is hunks, or the raw content for add and delete. */
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

/** A command's output so far: its beginning, which stands in the text, and its latest lines. */
export type Output = {
  readonly head: OutputPart;
  readonly tail: OutputPart;
  /** Lines that stand neither in `head` nor in `tail`. */
  readonly omittedLines: number;
  readonly full: boolean;
  /** The line that has not ended yet, as it came. */
  readonly partial: string;
  /** Its end, kept apart so that nobody has to go through all of it to see how it ends. */
  readonly latest: string;
};
