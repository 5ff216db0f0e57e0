import * as z from "zod";
import {
  AllowedHosts,
  CacheVolume,
  Done,
  type Frozen,
  McpServer,
  NoParams,
  SelfTestCheck,
  Tokens,
} from "./shapes.ts";

/** A row of the chat buffer, 0-based. */
const AtRow = z.object({ row: z.int().nonnegative() });

/** A thread of the project; it need not be the one of the conversation that is asked. */
/** Confirmations, for when a turn runs or others use the container. */
const Ending = z.object({
  turn: z.boolean().default(false).describe("ends a running turn as well"),
  others: z
    .boolean()
    .default(false)
    .describe("ends the container from under other Neovims as well"),
});

const Fork = z
  .object({
    keep: z.int().describe("how many rows the new conversation begins with"),
    query: z.string().describe("what was asked there"),
    thread: z.string().optional().describe("absent if the new conversation is given its text"),
    files: z.int().describe("how many files Codex has changed after that"),
    sent: z
      .object({ row: z.int(), end: z.int(), text: z.string().optional() })
      .meta({ id: "ForkedQuery" })
      .optional()
      .describe("the sent query at the row"),
  })
  .meta({ id: "Fork" });

const Revert = z
  .object({
    from: z.int().describe("the first row that goes"),
    turns: z.int().describe("how many turns go"),
    files: z.int().describe("how many files Codex has changed in them"),
    copy: z.string().optional().describe("the copy of the file, once confirmed"),
  })
  .meta({ id: "Revert" });

const Model = z
  .object({
    model: z.string(),
    name: z.string(),
    description: z.string(),
    isCurrent: z.boolean(),
    effort: z.string().describe("the default one"),
    efforts: z.array(
      z.object({ effort: z.string(), description: z.string() }).meta({ id: "ListedEffort" }),
    ),
  })
  .meta({ id: "ListedModel" });

const Policy = z.enum(["never", "on-request", "untrusted"]);

const Approvals = z
  .object({ current: Policy, offered: z.array(Policy) })
  .meta({ id: "ApprovalPolicies" });

const Terminal = z
  .object({
    id: z.string(),
    command: z.string(),
    cwd: z.string(),
    block: z.string().optional().describe("where the conversation shows it"),
  })
  .meta({ id: "Terminal" });

const Limit = z
  .object({
    usedPercent: z.number(),
    windowDurationMins: z.number().nullish(),
    resetsAt: z.number().nullish().describe("in seconds since 1970"),
  })
  .meta({ id: "UsageLimit" });

const Status = z
  .object({
    model: z.string(),
    effort: z.string(),
    plan: z.boolean(),
    approvals: Policy,
    endpoint: z.string(),
    credential: z.string(),
    running: z.boolean(),
    sandbox: z.string(),
    thread: z.string(),
    refused: z.array(z.object({ host: z.string(), times: z.int() }).meta({ id: "RefusedHost" })),
    network: AllowedHosts,
    instructions: z.array(z.string()),
    usage: Tokens.extend({ window: z.int().nullish() }).meta({ id: "Usage" }).optional(),
    limits: z.array(Limit),
    servers: z.array(McpServer),
  })
  .meta({ id: "ConversationStatus" });

const Commit = z
  .object({
    oid: z.string(),
    ref: z.string(),
    subject: z.string().describe("the agent's words"),
    date: z.string().describe("as ISO 8601"),
    isTaken: z.boolean().describe("whether a branch of the user's has it"),
  })
  .meta({ id: "Commit" });

const Container = z
  .object({
    id: z.string(),
    name: z.string(),
    running: z.boolean(),
    image: z.string(),
    runtime: z.string(),
    startedMs: z.number().describe("since 1970"),
    seconds: z.int().describe("since it was started"),
    user: z.string(),
    network: z.string(),
    memoryBytes: z.number(),
    cpus: z.number(),
    pids: z.int(),
    mounts: z.array(
      z.object({ path: z.string(), kind: z.string() }).meta({ id: "ContainerMount" }),
    ),
    processes: z.array(z.string()).describe("as programs inside call themselves"),
  })
  .meta({ id: "Container" });

const SandboxStatus = z
  .object({
    engine: z.string(),
    runtime: z.string(),
    attached: z.boolean().describe("whether this host uses the container"),
    others: z.int().describe("how many other Neovims use it"),
    notes: z.array(z.string()),
    container: Container.optional(),
  })
  .meta({ id: "SandboxStatus" });

const Checked = z.discriminatedUnion("held", [
  z
    .object({
      held: z.literal(true),
      engine: z.string(),
      runtime: z.string(),
      image: z.string(),
      kernel: z.string(),
      gvisor: z.boolean(),
      checks: z.array(SelfTestCheck),
    })
    .meta({ id: "SelfTestHeld" }),
  z
    .object({
      held: z.literal(false),
      message: z.string(),
      fix: z.string().optional(),
      checks: z.array(SelfTestCheck),
      ended: z.boolean().describe("whether the sandbox ran, and was ended for it"),
    })
    .meta({ id: "SelfTestFailed" }),
]);

const Space = z
  .object({
    caches: z.array(CacheVolume).describe("of this project"),
    gone: z.array(CacheVolume).describe("of projects that are gone"),
    images: z.object({ count: z.int(), bytes: z.number() }).meta({ id: "OldImages" }),
  })
  .meta({ id: "Removable" });

const Shell = z
  .object({ socket: z.string(), container: z.string(), cwd: z.string() })
  .meta({ id: "ShellPlace" });

const ChangedFile = z
  .object({
    path: z.string(),
    old: z.string().optional().describe("its path before, if that was another one"),
    change: z.enum(["created", "deleted", "changed", "renamed", "mode"]),
    added: z.int().optional().describe("lines; absent for a file that is not text"),
    removed: z.int().optional(),
    ignored: z.boolean().describe("whether the project's ignore rules hide it"),
  })
  .meta({ id: "ChangedFile" });

const Changes = z
  .object({
    title: z.string().describe("since when, as words"),
    left: z.string().describe("the checkpoint that the files are compared with"),
    files: z.array(ChangedFile),
    unknown: z.array(z.string()).describe("files that changed, and whose content is not on record"),
  })
  .meta({ id: "Changes" });

/** The name of a checkpoint. */
const Commit40 = z.string().regex(/^[0-9a-f]{40}$/);

/** Lines that differ, as vim.diff() counts them: the first line, 1-based, and how many. */
const Hunk = z.object({
  left: z.tuple([z.int(), z.int()]),
  right: z.tuple([z.int(), z.int()]),
});

const NewLeft = z
  .object({ left: z.string().describe("the checkpoint to compare with from now on") })
  .meta({ id: "NewLeft" });

/** A comment on lines of a file, for Codex. */
const Comment = z
  .object({
    id: z.string(),
    path: z.string(),
    side: z.enum(["left", "right"]).describe("the file before the change, or as it is"),
    first: z.int().describe("1-based"),
    last: z.int(),
    code: z.array(z.string()).describe("these lines when the comment was written"),
    text: z.string(),
  })
  .meta({ id: "Comment" });

const Undone = z
  .object({
    queries: z.array(z.string()).describe("the turns, by the beginning of their queries, quoted"),
    files: z.array(
      z
        .object({ path: z.string(), change: z.enum(["created", "deleted", "changed"]) })
        .meta({ id: "RestoredFile" }),
    ),
    conflicts: z.array(
      z
        .object({
          path: z.string(),
          why: z.string(),
          wanted: z.string().optional().describe("a file with the content that it was to get"),
        })
        .meta({ id: "RestoreConflict" }),
    ),
    others: z.array(z.string()).describe("conversations that worked at the same time"),
  })
  .meta({ id: "Undone" });

const ProposedFile = z
  .object({
    path: z.string().describe("with the patch"),
    old: z.string().optional().describe("its path before, if that was another one"),
    change: z.enum(["created", "deleted", "changed", "renamed"]),
    before: z
      .string()
      .optional()
      .describe("a file with the content it has; absent: it is not there"),
    after: z.string().optional().describe("a file with the content it is to get"),
    why: z.string().optional().describe('why that is not known: completes "cannot be edited: "'),
  })
  .meta({ id: "ProposedFile" });

const Proposal = z
  .object({
    left: z.string().describe("the checkpoint of the files as they are"),
    proposed: z.string().describe("the same with the patch"),
    fixed: z.string().optional().describe("why the patch can be looked at only"),
    files: z.array(ProposedFile),
  })
  .meta({ id: "Proposal" });

const EditedPatch = z
  .object({
    files: z.array(z.string()).describe("those that were changed"),
    conflicts: z
      .array(z.string())
      .describe("those that somebody else changed in that moment, and that are as they were"),
  })
  .meta({ id: "EditedPatch" });

const StartedSandbox = z.object({ sandbox: z.string() }).meta({ id: "StartedSandbox" });

/**
 * Everything that Lua can ask of a conversation besides sending, by name: what goes with the request,
 * and what an answer holds. `true` is the answer of an action that only does something.
 */
export const actions = {
  "thread/fork": { params: AtRow, result: Fork },
  "thread/revert": {
    params: AtRow.extend({ confirmed: z.boolean().default(false) }),
    result: Revert,
  },
  "thread/compact": { params: NoParams, result: Done },
  "thread/review": {
    params: z.object({
      target: z.enum(["uncommitted", "base", "commit", "custom"]),
      argument: z.string().default(""),
    }),
    result: Done,
  },
  "model/list": { params: NoParams, result: z.array(Model) },
  "model/set": {
    params: z.object({
      model: z.string().min(1).optional(),
      effort: z.string().min(1).optional(),
    }),
    result: Done,
  },
  "plan/set": {
    params: z.object({ on: z.boolean().optional().describe("absent: the other of the two") }),
    result: z.object({ on: z.boolean() }).meta({ id: "PlanMode" }),
  },
  "approvals/list": { params: NoParams, result: Approvals },
  "approvals/set": { params: z.object({ policy: z.string() }), result: Done },
  "terminals/list": { params: NoParams, result: z.array(Terminal) },
  "terminals/clean": { params: NoParams, result: Done },
  "terminals/stop": { params: z.object({ id: z.string() }), result: Done },
  "status/read": { params: NoParams, result: Status },
  "mcp/list": { params: NoParams, result: z.array(McpServer) },
  "commits/list": { params: NoParams, result: z.array(Commit) },
  "commits/show": {
    params: z.object({ oid: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/) }),
    result: z.string(),
  },
  "commits/log": { params: NoParams, result: z.string() },
  "changes/list": {
    params: z.object({
      since: z
        .union([z.enum(["turn", "all"]), z.int().positive()])
        .default("turn")
        .describe(
          "since the turn at the row, the conversation's beginning, or its turn of this number",
        ),
      row: z.int().nonnegative().optional().describe("absent: the last turn that changed anything"),
      quick: z
        .boolean()
        .default(false)
        .describe("compares with the last checkpoint, without looking at the files again"),
    }),
    result: Changes,
  },
  "changes/file": {
    params: z.object({ left: Commit40, path: z.string() }),
    result: z
      .object({ content: z.string().optional().describe("a file with the content it had") })
      .meta({ id: "FileBefore" }),
  },
  "changes/accept": {
    params: z.object({
      left: Commit40,
      files: z.array(
        z.object({
          path: z.string(),
          hunks: z.array(Hunk).optional().describe("absent: the whole file"),
          sha256: z.string().optional().describe("of the file that the hunks were found in"),
        }),
      ),
    }),
    result: NewLeft,
  },
  "changes/unaccept": { params: NoParams, result: NewLeft },
  "changes/reject": {
    params: z.object({ left: Commit40, paths: z.array(z.string()) }),
    result: Undone,
  },
  "comments/list": { params: NoParams, result: z.array(Comment) },
  "comments/set": { params: z.object({ comments: z.array(Comment) }), result: Done },
  "changes/undo": {
    params: z.object({
      row: z.int().nonnegative().optional(),
      scope: z.enum(["turn", "since"]).default("turn"),
    }),
    result: Undone,
  },
  "changes/redo": { params: NoParams, result: Undone },
  "patch/show": {
    params: z.object({ id: z.string().describe("of the question that is about the patch") }),
    result: Proposal,
  },
  /** Answers the question with the patch as the user has changed it. */
  "patch/apply": {
    params: z.object({
      id: z.string(),
      left: Commit40,
      proposed: Commit40,
      files: z.array(
        z.object({
          path: z.string(),
          old: z.string().optional(),
          text: z.string().optional().describe("in base64; absent: the file stays as it is"),
        }),
      ),
    }),
    result: EditedPatch,
  },
  "sandbox/status": { params: NoParams, result: SandboxStatus },
  "sandbox/check": { params: NoParams, result: Checked },
  "sandbox/shell": { params: NoParams, result: Shell },
  "sandbox/space": { params: NoParams, result: Space },
  "sandbox/prune": { params: NoParams, result: z.string() },
  "sandbox/clear": { params: Ending, result: z.string() },
  "sandbox/restart": { params: Ending, result: StartedSandbox },
  "sandbox/rebuild": { params: Ending, result: StartedSandbox },
  "sandbox/unprotect": { params: z.object({ path: z.string().min(1) }), result: z.string() },
  "network/list": { params: NoParams, result: AllowedHosts },
  "network/forget": { params: z.object({ entry: z.string().min(1) }), result: Done },
  "goal/set": {
    params: z.object({
      objective: z.string().min(1).max(4000).optional(),
      active: z.boolean(),
    }),
    result: z.string().describe("the objective"),
  },
  "goal/clear": { params: NoParams, result: Done },
  "dockerfile/allow": { params: z.object({ hash: z.string() }), result: z.string() },
  "login/start": {
    params: z.object({ way: z.enum(["browser", "device"]) }),
    result: z.object({ url: z.string(), code: z.string().optional() }).meta({ id: "LoginTask" }),
  },
  "login/finish": {
    params: NoParams,
    result: z
      .object({
        email: z.string(),
        plan: z.string(),
        isUsed: z.boolean().describe("whether the configuration has the login used"),
      })
      .meta({ id: "LoginState" }),
  },
  "login/cancel": { params: NoParams, result: Done },
  "login/end": {
    params: NoParams,
    result: z
      .object({ was: z.string().describe("the email address, or empty") })
      .meta({ id: "EndedLogin" }),
  },
} as const;

/** The name of an action. */
export type ActionName = keyof typeof actions;
/** What goes with an action, once checked. */
export type ActionParams<N extends ActionName> = z.infer<(typeof actions)[N]["params"]>;
/** What an action answers. */
export type ActionResult<N extends ActionName> = Frozen<z.input<(typeof actions)[N]["result"]>>;
