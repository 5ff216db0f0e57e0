import { z } from "zod";
import type { Answer, Field, ServerRequest } from "./approval.ts";

/** Bounds of what is shown: a form or a list of questions is the model's or a server's. */
const MAX_FIELDS = 50;

const text = z.string().nullish().catch(null);

/** The params of `item/tool/requestUserInput`. */
export const UserInput = z.object({
  threadId: z.string(),
  itemId: z.string(),
  questions: z
    .array(
      z.object({
        id: z.string(),
        header: z.string().catch(""),
        question: z.string(),
        isOther: z.boolean().catch(false),
        isSecret: z.boolean().catch(false),
        options: z
          .array(z.object({ label: z.string(), description: z.string().catch("") }))
          .nullish(),
      }),
    )
    .min(1)
    .max(MAX_FIELDS),
});

/** Codex asks the user something (`item/tool/requestUserInput`). */
export function userInputRequest(id: string, params: unknown): ServerRequest | z.ZodError {
  const parsed = UserInput.safeParse(params);
  if (!parsed.success) return parsed.error;
  const { threadId, itemId, questions } = parsed.data;
  const fields = questions.map(
    (it): Field => ({
      name: it.id,
      label: it.header === "" ? it.question : it.header,
      ...(it.header === "" ? {} : { description: it.question }),
      type: it.options == null || it.options.length === 0 ? "text" : "choice",
      required: true,
      secret: it.isSecret,
      options: (it.options ?? []).map((option) => ({ value: option.label, ...option })),
      other: it.isOther,
    }),
  );
  const title = questions.length === 1 ? "a question" : `${questions.length} questions`;
  return {
    type: "approval",
    threadId,
    approval: { kind: "questions", id, itemId, title, fields },
    respond: ({ decision, answers = {} }: Answer) => ({
      answers:
        decision === "accept"
          ? Object.fromEntries(
              Object.entries(answers).map(([name, value]) => [name, { answers: [String(value)] }]),
            )
          : {},
    }),
  };
}

/** The fields of an MCP form: flat, and of primitive types (MCP 2025-06-18, elicitation). */
const FormProperty = z.object({
  type: z.string(),
  title: text,
  description: text,
  default: z.union([z.string(), z.number(), z.boolean()]).optional().catch(undefined),
  enum: z.array(z.string()).nullish().catch(null),
  enumNames: z.array(z.string()).nullish().catch(null),
  oneOf: z
    .array(z.object({ const: z.string(), title: z.string() }))
    .nullish()
    .catch(null),
});

/** The params of `mcpServer/elicitation/request`, of all its modes. */
export const Elicitation = z.object({
  threadId: z.string(),
  serverName: z.string(),
  mode: z.string(),
  message: z.string().catch(""),
  url: text,
  requestedSchema: z
    .object({
      properties: z.record(z.string(), FormProperty),
      required: z.array(z.string()).nullish().catch(null),
    })
    .nullish()
    .catch(null),
  _meta: z
    .object({
      codex_approval_kind: text,
      tool_name: text,
      tool_params_display: z.unknown().optional(),
    })
    .nullish()
    .catch(null),
});

/**
 * An MCP server asks the user something, or Codex asks whether one of its tools may run. Modes that
 * only OpenAI's own applications have are declined.
 *
 * SECURITY: a page is opened only after the user has seen its whole address and said so, and only
 * over http or https.
 */
export function elicitationRequest(id: string, params: unknown): ServerRequest | z.ZodError {
  const parsed = Elicitation.safeParse(params);
  if (!parsed.success) return parsed.error;
  const { threadId, serverName: server, mode, message, url, requestedSchema, _meta } = parsed.data;
  const shared = { type: "approval", threadId } as const;
  if (_meta?.codex_approval_kind === "mcp_tool_call") {
    const detail = argumentsText(_meta.tool_params_display);
    return {
      ...shared,
      approval: {
        kind: "tool",
        id,
        server,
        tool: _meta.tool_name ?? "a tool",
        message,
        ...(detail === undefined ? {} : { detail }),
      },
      respond: ({ decision }) =>
        elicited(decision, null, decision === "accept_session" ? { persist: "session" } : null),
    };
  }
  if (mode === "url" && url != null && /^https?:\/\//i.test(url)) {
    return {
      ...shared,
      approval: { kind: "page", id, server, message, url },
      respond: ({ decision }) => elicited(decision, null, null),
    };
  }
  const form = mode === "form" && requestedSchema != null ? answerable(requestedSchema) : undefined;
  if (form !== undefined) {
    const { entries, required } = form;
    return {
      ...shared,
      approval: {
        kind: "questions",
        id,
        title: message === "" ? "a form" : message,
        server,
        fields: entries.map(([name, it]) => formField(name, it, required.has(name))),
      },
      respond: ({ decision, answers = {} }) => elicited(decision, answers, null),
    };
  }
  return { type: "answered", threadId, result: elicited("decline", null, null) };
}

/**
 * The fields of a form that can be asked for, one answer each. Undefined where it needs others: a
 * choice of several (`array`), or more of them than are shown.
 */
function answerable({
  properties,
  required,
}: NonNullable<z.infer<typeof Elicitation>["requestedSchema"]>) {
  const entries = Object.entries(properties)
    .filter(([, it]) => it.type !== "array")
    .slice(0, MAX_FIELDS);
  const needed = new Set(required ?? []);
  const names = new Set(entries.map(([name]) => name));
  const isWhole = [...needed].every((name) => names.has(name));
  return isWhole ? { entries, required: needed } : undefined;
}

function formField(name: string, it: z.infer<typeof FormProperty>, required: boolean): Field {
  const options =
    it.oneOf?.map((option) => ({ value: option.const, label: option.title, description: "" })) ??
    it.enum?.map((value, n) => ({ value, label: it.enumNames?.[n] ?? value, description: "" })) ??
    [];
  const plain = it.type === "number" || it.type === "integer" || it.type === "boolean";
  return {
    name,
    label: it.title ?? name,
    ...(it.description == null ? {} : { description: it.description }),
    type: options.length > 0 ? "choice" : plain ? (it.type as Field["type"]) : "text",
    required,
    secret: false,
    options,
    other: false,
    ...(it.default === undefined ? {} : { default: it.default }),
  };
}

function elicited(decision: Answer["decision"], content: unknown, meta: unknown): unknown {
  const isAccepted = decision === "accept" || decision === "accept_session";
  return {
    action: isAccepted ? "accept" : decision,
    content: isAccepted ? content : null,
    _meta: isAccepted ? meta : null,
  };
}

/** What a tool would be called with, as far as Codex tells it. */
function argumentsText(display: unknown): string | undefined {
  if (display == null || (typeof display === "object" && Object.keys(display).length === 0))
    return undefined;
  return typeof display === "string" ? display : JSON.stringify(display, null, 2);
}
