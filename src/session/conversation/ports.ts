import type { Audit } from "../../audit/index.ts";
import { turnFailureOf } from "../../chat/index.ts";
import type { TurnError } from "../../codex/messages/index.ts";
import type { Result } from "../../result.ts";
import type { CommitsOptions } from "../../workspace/git/index.ts";
import type { Account } from "../auth/index.ts";
import type { Backend } from "../backend/index.ts";
import type { Finding, RunState } from "../document/index.ts";
import type { Failure } from "../failure.ts";
import type { TurnHook } from "../hooks/index.ts";
import type { NetworkAccess } from "../network/index.ts";
import type { LoadedThread, RunTool, ThreadOptions } from "../thread/index.ts";

/** What a conversation needs of its project. */
export type ProjectPort = ThreadOptions & {
  /** Ends the backend because it no longer answers; its conversations hear of it. */
  readonly abandonBackend: (failure: Failure) => void;
  /** Before a turn: ends a backend whose sandbox leaves open what the user's git obeys by now. */
  readonly renewBackend: () => Promise<Result<void, Failure>>;
  /** What runs for the project already; undefined where nothing does. */
  readonly running: () => Backend | undefined;
  /** The real repository; undefined where the agent has no git of its own. */
  readonly gitPlace: () => Promise<CommitsOptions | undefined>;
  readonly runTool: RunTool;
  /** This conversation has a thread from now on. */
  readonly threadKnown: (thread: string) => void;
  /** A review has ended with these findings. */
  readonly reviewed: (findings: readonly Finding[]) => void;
  /** Something in the project may have changed on disk. */
  readonly filesChanged: () => void;
  /** The same while a turn runs, which a program inside can have told any number of times. */
  readonly filesChanging: () => void;
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkAccess;
  /** What is done for the project before each turn and after it. */
  readonly aroundTurn: readonly TurnHook[];
  /** Where what happens is recorded. */
  readonly audit: Audit;
  /** The ChatGPT login, which all projects share. */
  readonly account: Account;
  /** Says what authorizes the calls of the model, without asking for it. */
  readonly credential: () => Promise<string>;
  readonly emit: (event: ConversationEvent, data: object) => void;
  /** The project's sandbox, for the commands that are about it. */
  readonly sandbox: SandboxControl;
};

/** What can be done with a project's sandbox besides having turns in it. */
type SandboxControl = {
  /** The project's state directory. */
  readonly projectDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether a turn runs in any conversation of the project. */
  readonly isBusy: () => boolean;
  /** Ends what runs; turns in it fail with this. */
  readonly stop: (why: Failure, after?: () => Promise<void>) => Promise<void>;
};

/** What the editor is told of as `User` autocommands. */
export type ConversationEvent = "QueryHeard" | "TurnStarted" | "TurnEnded" | "ApprovalRequested";

/** Begins a turn and gives its id, where the answer tells it. */
export type StartTurn = (loaded: LoadedThread) => Promise<Result<string | undefined, Failure>>;

/** How a round ended, for those who wait for it. */
export type TurnEnd = {
  readonly status: "completed" | "interrupted" | "failed";
  readonly failure?: Failure;
};

/** Why nothing can be answered any more that was asked in a round which ended so. */
export function unansweredBy({ status, failure }: TurnEnd): string {
  if (status === "completed") return "the turn ended";
  return status === "interrupted"
    ? "the turn was stopped"
    : `the turn failed${failure === undefined ? "" : `: ${failure.message}`}`;
}

/** What the window's bar says after a round. */
export function stateAfter(end: TurnEnd | undefined): RunState {
  return end?.status === "failed"
    ? { phase: "failed", detail: end.failure?.message }
    : { phase: "idle" };
}

/** How Codex says that a turn ended; `httpStatus` is that of the endpoint's last answer. */
export function endOf(
  { status, error }: { readonly status: string; readonly error?: TurnError | null | undefined },
  httpStatus: number | undefined,
): TurnEnd {
  if (status === "completed" || status === "interrupted") return { status };
  const { what, fix, repeats } = turnFailureOf(error ?? { message: "The turn failed." }, {
    status: httpStatus,
  });
  const failure = {
    kind: "turn",
    message: what,
    fix,
    ...(repeats === undefined ? {} : { repeats }),
  };
  return { status: "failed", failure };
}
