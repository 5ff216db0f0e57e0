import type { Audit } from "../../audit/index.ts";
import type { Log, Progress } from "../../log.ts";
import type { Result } from "../../result.ts";
import type { CommitsOptions } from "../../workspace/git/index.ts";
import type { Account } from "../auth/index.ts";
import type { Backend } from "../backend/index.ts";
import type { ProjectChanges } from "../changes/index.ts";
import type { Finding, LiveDocument } from "../document/index.ts";
import type { Failure } from "../failure.ts";
import type { TurnHooks } from "../hooks/index.ts";
import type { NetworkAccess } from "../network/index.ts";
import type { LoadedThread, RunTool, ThreadHandle, ThreadOptions } from "../thread/index.ts";

/** What a conversation needs of its document. */
export type DocumentPort = Pick<
  LiveDocument,
  // Where it is.
  | "path"
  | "stateDir"
  // What is in it.
  | "text"
  | "left"
  | "asEdited"
  // What happens.
  | "apply"
  | "note"
  | "nameAfter"
  | "ended"
  | "close"
  // What stands beside it.
  | "setState"
  | "setShown"
  | "setMeta"
  | "notify"
> & {
  readonly standing: {
    readonly items: { readonly size: number };
    readonly turn: { readonly mark: string };
  };
} & QuestionPort;

/** What the questions of a conversation need of its document. */
export type QuestionPort = Pick<
  LiveDocument,
  "apply" | "whyNotAsked" | "askApproval" | "approvalAnswered"
>;

/** What a conversation needs of its thread. */
export type ThreadPort = Pick<
  ThreadHandle,
  // What it is, and is used with.
  | "id"
  | "loaded"
  | "choice"
  | "model"
  | "mode"
  // Its turns.
  | "prepare"
  | "use"
  | "startTurn"
  | "steer"
  | "interrupt"
  | "unload"
  | "queryAccepted"
  | "turnCompleted"
  // Whether it can be used on.
  | "unusable"
  | "isReplacement"
  | "abandon"
  | "abandonAsTooLong"
  | "reuse"
  | "restore"
>;

/** What a conversation needs of its project. */
export type ProjectPort = {
  readonly root: string;
  readonly settings: { readonly limits: { readonly silence_ms: number } };
  readonly log: Log;
  /** What is done for the project before each turn and after it. */
  readonly turnHooks: TurnHooks;
  /** Starts a backend that a turn will need, if none runs. Failures are left to the turn. */
  readonly prepareBackend: (
    onProgress: (what: Progress) => void,
  ) => Promise<Pick<Backend, "client"> | undefined>;
  /** Before a turn: ends a backend in whose sandbox a path is writable that git trusts by now. */
  readonly renewBackend: () => Promise<Result<void, Failure>>;
  /** Ends a backend that no longer answers; its conversations are notified. */
  readonly abandonBackend: (failure: Failure) => void;
  /** This conversation has a thread from now on: it gets the notifications that came before. */
  readonly flushEarlyNotifications: (thread: string) => void;
  readonly runTool: RunTool;
  /** A review has ended with these findings. */
  readonly reviewed: (findings: readonly Finding[]) => void;
  /** Something in the project may have changed on disk. */
  readonly filesChanged: () => void;
  /** The same while a turn runs, when a program inside can cause any number of calls. */
  readonly filesChanging: () => void;
  readonly emit: (event: ConversationEvent, data: object) => void;
};

/** What actions reach through a conversation, and the conversation itself does not use. */
type ActionServices = {
  /** The backend that runs already; undefined where none does. */
  readonly running: () => Backend | undefined;
  /** The real repository; undefined where the agent has no git of its own. */
  readonly gitPlace: () => Promise<CommitsOptions | undefined>;
  /** What Codex has changed in the project's files. */
  readonly changes: ProjectChanges;
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkAccess;
  readonly audit: Audit;
  /** The ChatGPT login, which all projects share. */
  readonly account: Account;
  /** Says what authorizes the calls of the model, without asking for it. */
  readonly credential: () => Promise<string>;
  readonly sandbox: SandboxControl;
};

/** All that a project gives its conversations, their threads and their actions. */
export type ProjectServices = Omit<ProjectPort, "settings"> & ThreadOptions & ActionServices;

/** What an action can do with a project's sandbox. */
type SandboxControl = {
  /** The project's state directory. */
  readonly projectDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether a turn runs in any conversation of the project. */
  readonly isBusy: () => boolean;
  /** Stops the sandbox; turns that run in it fail with this. */
  readonly stop: (why: Failure, after?: () => Promise<void>) => Promise<void>;
};

/** The parts that a conversation is made of. */
export type ConversationParts = {
  readonly document: DocumentPort;
  readonly thread: ThreadPort;
  readonly host: ProjectPort;
};

/** The same where all of them are real. */
export type LiveParts = {
  readonly document: LiveDocument;
  readonly thread: ThreadHandle;
  readonly host: ProjectServices;
};

/** The `User` autocommands that the editor emits for a conversation. */
export type ConversationEvent = "QueryHeard" | "TurnStarted" | "TurnEnded" | "ApprovalRequested";

/** Requests a turn and gives its id, where the answer tells it. */
export type StartTurn = (loaded: LoadedThread) => Promise<Result<string | undefined, Failure>>;
