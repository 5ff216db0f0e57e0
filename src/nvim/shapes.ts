import * as z from "zod";

/**
 * Shapes that several methods share. `id` is the name of the LuaCATS class after `codex-chat.`, and a
 * field's `describe` is its comment there.
 */

/** A value that nobody changes, all the way down. */
export type Frozen<T> = T extends readonly unknown[] | object
  ? { readonly [K in keyof T]: Frozen<T[K]> }
  : T;

/** A buffer's number. */
export const Buf = z.int().positive();

/** Parameters of an action that needs none. */
export const NoParams = z.object({});

/** The answer of an action that finds nothing out. */
export const Done = z.literal(true);

/** What the user may answer to a question. */
export const Decision = z
  .enum(["accept", "accept_session", "accept_project", "decline", "cancel"])
  .meta({ id: "Decision" });

/** What a conversation does, as the winbar shows it. */
const Phase = z.enum(["idle", "starting", "running", "waiting", "failed"]).meta({ id: "Phase" });

/** A conversation of a list. */
export const ListedThread = z
  .object({
    path: z.string(),
    root: z.string().optional().describe("the project's directory, if known"),
    thread: z.string().optional(),
    name: z.string().describe("the user's name for it, else its first query, else the file's name"),
    archived: z.boolean(),
    label: z.string().describe("its line in a menu"),
  })
  .meta({ id: "ListedThread" });

/** Tokens of a thread. */
export const Tokens = z
  .object({
    last: z.int().optional().describe("of the last request"),
    total: z.int().optional().describe("of the whole thread"),
    window: z.int().optional().describe("how many the model's context window holds"),
  })
  .meta({ id: "Tokens" });

/** What a conversation does, as the winbar shows it. Absent model, mode, sandbox and tokens stay. */
export const WinbarState = z
  .object({
    phase: Phase,
    detail: z.string().optional().describe("what is being prepared, or why it failed"),
    shorter: z
      .array(z.string())
      .optional()
      .describe("of `detail`, for narrow windows, the longest first"),
    model: z.string().optional(),
    mode: z.string().optional().describe('the effort, and "plan" in plan mode'),
    sandbox: z.string().optional(),
    tokens: Tokens.optional(),
    queued: z.int().optional(),
    note: z.string().optional(),
  })
  .meta({ id: "State" });
export type WinbarState = Frozen<z.input<typeof WinbarState>>;

const Option = z
  .object({ value: z.string(), label: z.string(), description: z.string().optional() })
  .meta({ id: "Option" });

/** A field of a form that the user fills in. */
const Field = z
  .object({
    name: z.string(),
    label: z.string(),
    description: z.string().optional(),
    type: z.enum(["text", "number", "integer", "boolean", "choice", "choices"]),
    format: z.enum(["email", "uri", "date", "date-time"]).optional().describe("of a text"),
    min: z
      .number()
      .optional()
      .describe("of a number its value, of a text its characters, of choices how many"),
    max: z.number().optional(),
    required: z.boolean(),
    secret: z.boolean().describe("the answer is never written anywhere"),
    options: z.array(Option),
    other: z.boolean().describe("whether an answer besides the options is allowed"),
    default: z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]).optional(),
  })
  .meta({ id: "Field" });

/** Answers to the fields of a form, by their names. */
export const FieldAnswers = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
  .meta({ id: "FieldAnswers" });

/** A question to the user that begins at block `block`. */
const ApprovalRequest = z
  .object({
    id: z.string(),
    block: z.string(),
    kind: z.enum(["command", "patch", "questions", "tool", "page", "network"]),
    fields: z.array(Field).optional().describe("of questions"),
    url: z.string().optional().describe("of a page"),
    diff: z.boolean().optional().describe("of a patch: whether it can be looked at as a diff"),
    choices: z.array(Decision).optional(),
  })
  .meta({ id: "ApprovalRequest" });

/** A question, or the end of one. */
export const ApprovalChange = z.union([
  ApprovalRequest,
  z.object({ id: z.string(), remove: z.literal(true) }).meta({ id: "ApprovalEnd" }),
]);
export type ApprovalChange = Frozen<z.input<typeof ApprovalChange>>;

/**
 * An edit of the document, the same as `Edit` in src/chat/edits/edits.ts, which this folder must not
 * know. Ids are opaque strings.
 */
export const BufferEdit = z
  .discriminatedUnion("op", [
    z
      .object({
        op: z.literal("insert"),
        id: z.string(),
        after: z.string(),
        lines: z.array(z.string()),
        gap: z.literal([0, 1]),
      })
      .meta({ id: "InsertEdit" }),
    z
      .object({ op: z.literal("append"), id: z.string(), text: z.string() })
      .meta({ id: "AppendEdit" }),
    z
      .object({ op: z.literal("replace"), id: z.string(), lines: z.array(z.string()) })
      .meta({ id: "ReplaceEdit" }),
    z.object({ op: z.literal("remove"), id: z.string() }).meta({ id: "RemoveEdit" }),
    z
      .object({
        op: z.literal("fold"),
        from: z.string(),
        to: z.string(),
        label: z.string().optional(),
      })
      .meta({ id: "FoldEdit" }),
    z
      .object({
        op: z.literal("mark"),
        id: z.string(),
        mark: z.enum(["running", "queued", "none"]),
        text: z.string().optional(),
      })
      .meta({ id: "MarkEdit" }),
  ])
  .meta({ id: "Edit" });
export type BufferEdit = Frozen<z.input<typeof BufferEdit>>;

/** Keys of the front matter. */
export const FrontMatter = z
  .object({
    name: z.string().optional(),
    thread: z.string().optional(),
    project: z.string().optional(),
    model: z.string().optional(),
    created: z.string().optional(),
  })
  .meta({ id: "FrontMatter" });

/** A finding of a review; lines are 1-based. */
export const Finding = z
  .object({
    path: z.string(),
    line: z.int(),
    last: z.int(),
    title: z.string(),
    body: z.string(),
  })
  .meta({ id: "Finding" });

/** A skill that goes along with a query. */
const SkillPart = z
  .object({ name: z.string().min(1), path: z.string().startsWith("/") })
  .meta({ id: "SkillPart" });

/** A part of a query's context: a text that says what it is, a picture as a data URL, or a skill. */
export const SentPart = z
  .object({
    text: z.string().optional(),
    image: z.string().startsWith("data:image/").optional(),
    skill: SkillPart.optional(),
  })
  .meta({ id: "SentPart" });

/** Why a turn failed. */
export const TurnFailure = z
  .object({
    kind: z.string(),
    message: z.string(),
    fix: z.string().optional().describe("the command or step that helps"),
  })
  .meta({ id: "TurnFailure" });

/** What the sandbox may reach besides the model, by who allowed it. */
export const AllowedHosts = z
  .object({
    config: z.array(z.string()),
    project: z.array(z.string()),
    conversation: z.array(z.string()),
    ask: z.boolean(),
  })
  .meta({ id: "AllowedHosts" });

/** An MCP server, and what it offers. */
export const McpServer = z
  .object({ name: z.string(), state: z.string(), tools: z.array(z.string()) })
  .meta({ id: "McpServer" });

/** A cache that can be removed. */
export const CacheVolume = z
  .object({
    what: z.string().describe('a directory of the project, or "tools"'),
    bytes: z.int().optional().describe("absent if the engine does not say"),
  })
  .meta({ id: "CacheVolume" });

/** One check of the sandbox's self-test. */
export const SelfTestCheck = z
  .object({
    name: z.string(),
    part: z.string(),
    tries: z.string(),
    happened: z.string(),
    verdict: z.enum(["held", "weaker", "failed"]),
  })
  .meta({ id: "SelfTestCheck" });
