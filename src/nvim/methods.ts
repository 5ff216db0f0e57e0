import { z } from "zod";

/**
 * The names and shapes of everything that crosses between Lua and the host, and nothing else.
 *
 * Lua to host are notifications `noun/verb`; host to Lua are calls `noun_verb`, answered by the
 * functions in lua/codex-chat/host/rpc.lua. Tables of Lua are loose: a newer Lua half may say more.
 */

/** A buffer's number. */
const Buf = z.int().positive();

/** What Lua tells the host, by name. */
export const notifications = {
  /**
   * A conversation is open. Comes again for the same buffer after its text was read anew, after it
   * moved to another file, and after an earlier host died.
   */
  "chat/open": z.object({
    buf: Buf,
    path: z.string().min(1),
    root: z.string().min(1),
    project_dir: z.string().min(1),
    /** The user's settings as src/session/settings/settings.ts reads them. */
    settings: z.record(z.string(), z.unknown()),
  }),
  /** The buffer is gone, or holds another conversation from now on. */
  "chat/close": z.object({ buf: Buf }),
  /** The same text was read anew, as by `:edit`: whoever follows the buffer begins again. */
  "chat/reread": z.object({ buf: Buf }),
  /** Write the file now. */
  "chat/save": z.object({ buf: Buf }),
  /** Neovim is about to end: say by `chat_kept` that all of the text has come. */
  "chat/leaving": z.object({ buf: Buf }),
  /** The user's settings are others by now. */
  "chat/settings": z.object({ buf: Buf, settings: z.record(z.string(), z.unknown()) }),
  /** The prompt became block `id`; `text` is what was typed, without blank lines around it. */
  "turn/send": z.object({
    buf: Buf,
    id: z.string().min(1),
    text: z.string(),
    mode: z.enum(["steer", "queue"]).default("steer"),
    /** What stands in the document where that is more than the text. */
    shown: z.string().optional(),
    /** Files of the project with changes that are not saved, relative to its root. */
    unsaved: z.array(z.string()).default([]),
    /** What goes along: texts that say themselves what they are, pictures as data URLs, skills. */
    context: z
      .array(
        z.object({
          text: z.string().optional(),
          image: z.string().startsWith("data:image/").optional(),
          skill: z.object({ name: z.string().min(1), path: z.string().startsWith("/") }).optional(),
        }),
      )
      .default([]),
  }),
  "turn/interrupt": z.object({ buf: Buf }),
  "turn/retry": z.object({ buf: Buf }),
  "approval/answer": z.object({
    buf: Buf,
    id: z.string(),
    decision: z.enum(["accept", "accept_session", "accept_project", "decline", "cancel"]),
    reason: z.string().optional(),
    /** What was told for each field that was asked for. */
    answers: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
      .optional(),
  }),
  "sandbox/stop": z.object({ buf: Buf }),
  /** What a tool of the editor gave, or why not. */
  "tool/answer": z.object({ buf: Buf, id: z.string(), ok: z.boolean(), text: z.string() }),
  /** Asks for something that is answered by `action_answer` with the same id. */
  "action/run": z.object({
    buf: Buf,
    id: z.int(),
    name: z.string().min(1),
    // A table of Lua without keys travels as a list.
    params: z
      .union([z.record(z.string(), z.unknown()), z.array(z.never()).transform(() => ({}))])
      .default({}),
  }),
} as const;

/** The name of something that Lua tells. */
export type NotificationName = keyof typeof notifications;
/** What it tells, once checked. */
export type NotificationParams<N extends NotificationName> = z.infer<(typeof notifications)[N]>;

/** What a conversation is at, as the winbar shows it. Absent model, sandbox and tokens stay. */
export type WinbarState = {
  readonly phase: "idle" | "starting" | "running" | "waiting" | "failed";
  readonly detail?: string | undefined;
  readonly model?: string | undefined;
  /** The effort, and "plan" in plan mode. */
  readonly mode?: string | undefined;
  readonly sandbox?: string | undefined;
  readonly tokens?:
    | { readonly last?: number; readonly total?: number; readonly window?: number }
    | undefined;
  readonly queued?: number | undefined;
  readonly note?: string | undefined;
};

/** A question to the user that begins at block `block`, or its end. */
export type ApprovalChange =
  | {
      readonly id: string;
      readonly block: string;
      readonly kind: "command" | "patch" | "questions" | "tool" | "page" | "network";
      /** What is asked for, of questions. */
      readonly fields?: readonly {
        readonly name: string;
        readonly label: string;
        readonly description?: string;
        readonly type: "text" | "number" | "integer" | "boolean" | "choice" | "choices";
        readonly format?: string;
        readonly min?: number;
        readonly max?: number;
        readonly required: boolean;
        readonly secret: boolean;
        readonly options: readonly {
          readonly value: string;
          readonly label: string;
          readonly description: string;
        }[];
        readonly other: boolean;
        readonly default?: string | number | boolean | readonly string[];
      }[];
      /** What is to be opened, of a page. */
      readonly url?: string;
      readonly choices?: readonly (
        | "accept"
        | "accept_session"
        | "accept_project"
        | "decline"
        | "cancel"
      )[];
    }
  | { readonly id: string; readonly remove: true };

/**
 * An edit of the document; the same type as src/chat's, which this folder must not know. Ids are
 * opaque strings.
 */
export type BufferEdit =
  | {
      readonly op: "insert";
      readonly id: string;
      readonly after: string;
      readonly lines: readonly string[];
      readonly gap: 0 | 1;
    }
  | { readonly op: "append"; readonly id: string; readonly text: string }
  | { readonly op: "replace"; readonly id: string; readonly lines: readonly string[] }
  | { readonly op: "remove"; readonly id: string }
  | { readonly op: "fold"; readonly from: string; readonly to: string; readonly label?: string }
  | {
      readonly op: "mark";
      readonly id: string;
      readonly mark: "running" | "queued" | "none";
      readonly text?: string;
    };

/** How an action went: what it found, or a sentence that says why not. */
type ActionAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** The arguments of each Lua function that the host calls. */
export type CallArgs = {
  /** Applies edits in one tick; `ok` is false where the buffer is no chat any more. */
  buf_set_edits: readonly [buf: number, edits: readonly BufferEdit[]];
  buf_set_state: readonly [buf: number, state: WinbarState];
  buf_set_approval: readonly [buf: number, change: ApprovalChange];
  /** Sets keys of the front matter. */
  buf_set_meta: readonly [
    buf: number,
    meta: {
      readonly name?: string;
      readonly thread?: string;
      readonly project?: string;
      readonly model?: string;
      readonly created?: string;
    },
  ];
  /** The file has another name now. */
  buf_set_name: readonly [buf: number, path: string];
  /** The text with this SHA-256 is about to be in the file. */
  buf_set_saved: readonly [buf: number, hash: string];
  /**
   * Whether the text with this SHA-256 was written to the file by Lua; while the host knows no text of
   * the file (`isFirst`), also whether it was read from it or written in this Neovim. `stale` where the
   * buffer's text is not the one with the SHA-256 `here`.
   */
  buf_is_own: readonly [buf: number, hash: string, here: string, isFirst: boolean];
  /**
   * Has the buffer take the file's text, where its own is still the one with this SHA-256; `chat/open`
   * follows. False where it is not, or the user is in the middle of a command.
   */
  chat_read_again: readonly [buf: number, hash: string];
  /** All of the buffer's text has come that was there at `chat/leaving`; the host writes it. */
  chat_kept: readonly [buf: number];
  /** Moves the buffer to a fresh conversation; without `path` Lua chooses one. `chat/open` follows. */
  chat_relocate: readonly [buf: number, to: { readonly path?: string; readonly reason?: string }];
  /** Which of these sent queries the user has edited since, or deleted (no `text`). */
  buf_get_changes: readonly [buf: number, ids: readonly string[]];
  /** Makes a quickfix list of a review's findings. Lines are 1-based. */
  quickfix_set: readonly [
    findings: readonly {
      readonly path: string;
      readonly line: number;
      readonly last: number;
      readonly title: string;
      readonly body: string;
    }[],
  ];
  /** Runs a tool of the editor; `tool/answer` follows with the same id. */
  tool_run: readonly [
    buf: number,
    call: { readonly id: string; readonly tool: string; readonly arguments: object },
  ];
  /** Answers `action/run`. */
  action_answer: readonly [id: number, answer: ActionAnswer];
  ui_notify: readonly [level: "info" | "warn" | "error", message: string];
  /** Reloads unmodified buffers of these files, or of all below `root`. */
  buf_reload: readonly [what: readonly string[] | { readonly root: string }];
  /** Raises the `User` event `CodexChat<name>`. */
  event_emit: readonly [name: string, data: Readonly<Record<string, unknown>>];
};

/** The name of a Lua function that the host calls. */
export type CallName = keyof CallArgs;

const Nothing = z.null().transform(() => undefined);
const Applied = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), reason: z.string() }),
]);

/** What each Lua function answers. */
export const results = {
  buf_set_edits: Applied,
  buf_set_state: Nothing,
  buf_set_approval: Nothing,
  buf_set_meta: Nothing,
  buf_set_name: Nothing,
  buf_set_saved: Nothing,
  buf_is_own: z.enum(["own", "other", "stale"]),
  chat_read_again: z.boolean(),
  chat_kept: Nothing,
  chat_relocate: Nothing,
  buf_get_changes: z.array(z.object({ id: z.string(), text: z.string().optional() })),
  quickfix_set: Nothing,
  tool_run: Nothing,
  action_answer: Nothing,
  ui_notify: Nothing,
  buf_reload: Nothing,
  event_emit: Nothing,
} as const satisfies Record<CallName, z.ZodType>;

/** The answer of a Lua function, once checked. */
export type CallResult<N extends CallName> = z.infer<(typeof results)[N]>;
