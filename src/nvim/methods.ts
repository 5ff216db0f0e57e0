import * as z from "zod";
import {
  ApprovalChange,
  Buf,
  BufferEdit,
  Decision,
  FieldAnswers,
  Finding,
  FrontMatter,
  type Frozen,
  ListedThread,
  SentPart,
  TurnFailure,
  WinbarState,
} from "./shapes.ts";

/**
 * Every name that crosses between Lua and the host, with the shapes of what goes with it; actions
 * have a table of their own (actions.ts). Lua's types are made from both: `npm run format` writes
 * lua/codex-chat/host/wire.lua.
 *
 * Lua to host are notifications `noun/verb`; host to Lua are calls `noun_verb`, answered by the
 * functions in lua/codex-chat/rpc.lua. Tables of Lua are loose: a newer Lua half may say more.
 */

const Settings = z.record(z.string(), z.unknown());

/** Where the user is, and where conversations lie. */
const Where = z.object({
  state_dir: z.string().startsWith("/"),
  root: z.string().min(1),
  chats: z.string().min(1),
  history: z.string().optional(),
  all: z.boolean(),
});

/** What Lua tells the host, by name. */
export const notifications = {
  /** Lists conversations; `threads_page` brings them, and `action_answer` with the same id ends it. */
  "threads/list": z.object({
    id: z.int(),
    where: Where,
    archived: z.boolean(),
    /** Those that are open in the editor, with the first lines of their text. */
    open: z.array(z.object({ path: z.string().min(1), head: z.string() })),
  }),
  /** Finds a text in conversations, archived ones too; `action_answer` has what was found. */
  "threads/search": z.object({ id: z.int(), where: Where, text: z.string().min(1) }),
  /** Does something with a conversation as a file; `action_answer` says how it went. */
  "threads/change": z.object({
    id: z.int(),
    task: z.enum(["check", "rename", "archive", "unarchive", "delete"]),
    state_dir: z.string().startsWith("/"),
    path: z.string().startsWith("/"),
    root: z.string().optional(),
    thread: z.string().optional(),
    name: z.string().optional(),
    archived: z.boolean(),
    open: z.object({ busy: z.boolean(), head: z.string() }).optional(),
    new_name: z.string().optional(),
  }),
  /**
   * A conversation is open. Comes again for the same buffer after its text was read again, after it
   * moved to another file, and after an earlier host died.
   */
  "chat/open": z.object({
    buf: Buf,
    path: z.string().min(1),
    root: z.string().min(1),
    project_dir: z.string().min(1),
    settings: Settings.describe("as src/session/settings/settings.ts reads them"),
  }),
  /** The buffer is gone, or holds another conversation from now on. */
  "chat/close": z.object({ buf: Buf }),
  /** The same text was read again, as by `:edit`: following the buffer begins again. */
  "chat/reread": z.object({ buf: Buf }),
  /** Write the file now. */
  "chat/save": z.object({ buf: Buf }),
  /** Neovim is about to end: confirm by `chat_confirm` that all of the text has come. */
  "chat/leave": z.object({ buf: Buf }),
  /** The user's settings have changed. */
  "chat/configure": z.object({ buf: Buf, settings: Settings }),
  /** The prompt became block `id`. */
  "turn/send": z.object({
    buf: Buf,
    id: z.string().min(1),
    text: z.string().describe("as typed, without blank lines around it"),
    mode: z.enum(["steer", "queue"]).default("steer"),
    context_line: z.string().optional().describe("stands below the text, and says what goes along"),
    unsaved: z
      .array(z.string())
      .default([])
      .describe("files with changes that are not saved, relative to the project's root"),
    context: z.array(SentPart).default([]),
  }),
  /** The user has edited a sent query where it stands, or deleted it; it may not be with Codex yet. */
  "query/edit": z.object({
    buf: Buf,
    id: z.string().min(1),
    text: z.string().min(1).optional().describe("absent if the query was deleted"),
  }),
  /** The user has begun to type a query: the sandbox that it will need can start. */
  "sandbox/prepare": z.object({ buf: Buf }),
  /** The user has saved a file of the project while a turn runs. */
  "file/saved": z.object({
    buf: Buf,
    path: z.string().startsWith("/"),
    before: z
      .string()
      .startsWith("/")
      .optional()
      .describe("a copy of the file from before; the host removes it. Absent: there was none"),
  }),
  "turn/interrupt": z.object({ buf: Buf }),
  "turn/retry": z.object({ buf: Buf }),
  "approval/answer": z.object({
    buf: Buf,
    id: z.string(),
    decision: Decision,
    reason: z.string().optional(),
    answers: FieldAnswers.optional(),
  }),
  "sandbox/stop": z.object({ buf: Buf }),
  /** The answer of a tool of the editor, or why there is none. */
  "tool/answer": z.object({ buf: Buf, id: z.string(), ok: z.boolean(), text: z.string() }),
  /** Asks for an action, which is answered by `action_answer` with the same id. */
  "action/run": z.object({
    buf: Buf,
    id: z.int(),
    name: z.string().min(1).describe("a name of src/nvim/actions.ts"),
    // A table of Lua without keys travels as a list.
    params: z
      .union([z.record(z.string(), z.unknown()), z.array(z.never()).transform(() => ({}))])
      .default({}),
  }),
} as const;

/** The name of a notification. */
export type NotificationName = keyof typeof notifications;
/** The parameters of a notification, once checked. */
export type NotificationParams<N extends NotificationName> = z.infer<(typeof notifications)[N]>;

/** The host's `User` events, by their names without `CodexChat`. */
export const events = {
  QueryHeard: z.object({ buf: Buf, ids: z.array(z.string()) }),
  TurnStarted: z.object({ buf: Buf, turnId: z.string() }),
  TurnEnded: z.object({
    buf: Buf,
    status: z.enum(["completed", "interrupted", "failed"]),
    failure: TurnFailure.optional(),
  }),
  ApprovalRequested: z.object({ buf: Buf, id: z.string(), title: z.string() }),
} as const;

const EventName = z.enum(Object.keys(events) as [keyof typeof events]);

/** How an action went: its value, or a sentence that says why it failed. */
const ActionAnswer = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), value: z.unknown() }).meta({ id: "ActionValue" }),
  z.object({ ok: z.literal(false), message: z.string() }).meta({ id: "ActionFailure" }),
]);

const Nothing = z.null().transform(() => undefined);
const Applied = z.union([
  z.object({ ok: z.literal(true) }).meta({ id: "EditsApplied" }),
  z.object({ ok: z.literal(false), reason: z.string() }).meta({ id: "EditsRefused" }),
]);

/**
 * The Lua functions that the host calls, by name: their arguments, named in their order, and what
 * they answer.
 */
export const calls = {
  /** Applies edits in one tick; `ok` is false if the buffer is no chat any more. */
  buf_set_edits: call(["buf", "edits"], z.tuple([Buf, z.array(BufferEdit)]), Applied),
  buf_set_state: call(["buf", "state"], z.tuple([Buf, WinbarState]), Nothing),
  buf_set_approval: call(["buf", "change"], z.tuple([Buf, ApprovalChange]), Nothing),
  /** Sets keys of the front matter. */
  buf_set_meta: call(["buf", "meta"], z.tuple([Buf, FrontMatter]), Nothing),
  /** The file has another name now. */
  buf_set_name: call(["buf", "path"], z.tuple([Buf, z.string()]), Nothing),
  /** The text with this SHA-256 is about to be in the file. */
  buf_set_saved: call(["buf", "hash"], z.tuple([Buf, z.string()]), Nothing),
  /**
   * Whether Lua wrote the text with this SHA-256 to the file; while the host knows no text of the
   * file (`is_first`), also whether it was read from the file or written in this Neovim. `stale` if
   * the buffer's text is not the one with the SHA-256 `here`.
   */
  buf_is_own: call(
    ["buf", "hash", "here", "is_first"],
    z.tuple([Buf, z.string(), z.string(), z.boolean()]),
    z.enum(["own", "other", "stale"]),
  ),
  /**
   * Has the buffer take the file's text, if its own is still the one with this SHA-256; `chat/open`
   * follows. False if it is not, or if the user is in the middle of a command.
   */
  chat_reload: call(["buf", "hash"], z.tuple([Buf, z.string()]), z.boolean()),
  /** Confirms that all of the text which the buffer had at `chat/leave` has come; the host writes it. */
  chat_confirm: call(["buf"], z.tuple([Buf]), Nothing),
  /** Moves the buffer to a fresh conversation; without `path` Lua chooses one. `chat/open` follows. */
  chat_relocate: call(
    ["buf", "to"],
    z.tuple([
      Buf,
      z
        .object({ path: z.string().optional(), reason: z.string().optional() })
        .meta({ id: "Relocation" }),
    ]),
    Nothing,
  ),
  /** Codex reads or edits this file now. */
  buf_show_file: call(
    ["buf", "at"],
    z.tuple([
      Buf,
      z.object({ path: z.string(), line: z.int().positive().optional() }).meta({ id: "FilePlace" }),
    ]),
    Nothing,
  ),
  /** Makes a quickfix list of a review's findings. */
  quickfix_set: call(["findings"], z.tuple([z.array(Finding)]), Nothing),
  /** Runs a tool of the editor; `tool/answer` follows with the same id. */
  tool_run: call(
    ["buf", "call"],
    z.tuple([
      Buf,
      z
        .object({ id: z.string(), tool: z.string(), arguments: z.custom<object>() })
        .meta({ id: "ToolCall" }),
    ]),
    Nothing,
  ),
  /** Conversations of a list that was asked for with this id, in the list's order. */
  threads_page: call(["id", "threads"], z.tuple([z.int(), z.array(ListedThread)]), Nothing),
  /** Saves and closes the conversation with this path; false if a turn runs in it. */
  threads_let_go: call(["path"], z.tuple([z.string()]), z.boolean()),
  /** Answers `action/run`. */
  action_answer: call(["id", "answer"], z.tuple([z.int(), ActionAnswer]), Nothing),
  ui_notify: call(
    ["level", "message"],
    z.tuple([z.enum(["info", "warn", "error"]), z.string()]),
    Nothing,
  ),
  /** Reloads unmodified buffers of these files, or of all below `root`. */
  buf_reload: call(
    ["what"],
    z.tuple([
      z.union([z.array(z.string()), z.object({ root: z.string() }).meta({ id: "ReloadRoot" })]),
    ]),
    Nothing,
  ),
  /** Raises the `User` event `CodexChat<name>`. */
  event_emit: call(
    ["name", "data"],
    z.tuple([EventName, z.record(z.string(), z.unknown())]),
    Nothing,
  ),
} as const;

/** The name of a Lua function that the host calls. */
export type CallName = keyof typeof calls;
/** The arguments of a Lua function. */
export type CallArgs<N extends CallName> = Frozen<z.input<(typeof calls)[N]["args"]>>;
/** The answer of a Lua function, once checked. */
export type CallResult<N extends CallName> = z.infer<(typeof calls)[N]["result"]>;

function call<A extends z.ZodTuple, R extends z.ZodType>(
  names: readonly string[],
  args: A,
  result: R,
) {
  return { names, args, result } as const;
}
