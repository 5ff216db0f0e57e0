import * as z from "zod";
import { Id } from "../id.ts";
import { FormSchema, formFields, MAX_FIELDS, MAX_OPTIONS } from "./form.ts";
import type { Answer, Field, ServerRequest } from "./server-request.ts";

const text = z.string().nullish().catch(null);

/** The params of `item/tool/requestUserInput`. */
export const UserInputRequest = z.object({
  threadId: Id,
  itemId: Id,
  questions: z
    .array(
      z.object({
        id: Id,
        header: z.string().catch(""),
        question: z.string(),
        isOther: z.boolean().catch(false),
        isSecret: z.boolean().catch(false),
        options: z
          .array(z.object({ label: z.string(), description: z.string().catch("") }))
          .max(MAX_OPTIONS)
          .nullish(),
      }),
    )
    .min(1)
    .max(MAX_FIELDS),
});

/** Codex asks the user questions (`item/tool/requestUserInput`). */
export function userInputRequest(id: string, params: unknown): ServerRequest | z.ZodError {
  const parsed = UserInputRequest.safeParse(params);
  if (!parsed.success) return parsed.error;
  const { threadId, itemId, questions } = parsed.data;
  const fields = questions.map(
    (asked): Field => ({
      name: asked.id,
      label: asked.header === "" ? asked.question : asked.header,
      ...(asked.header === "" ? {} : { description: asked.question }),
      type: asked.options == null || asked.options.length === 0 ? "text" : "choice",
      required: true,
      secret: asked.isSecret,
      options: (asked.options ?? []).map((option) => ({ value: option.label, ...option })),
      other: asked.isOther,
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

/** The params of `mcpServer/elicitation/request`, of all its modes. */
export const Elicitation = z.object({
  threadId: Id,
  serverName: z.string(),
  mode: z.string(),
  message: z.string().catch(""),
  url: text,
  requestedSchema: FormSchema.nullish().catch(null),
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
 * only OpenAI's own applications support are declined.
 *
 * SECURITY: a page is opened only over http or https, and only after the user has seen its whole
 * address and agreed.
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
  if (mode === "url") {
    const address = pageAddress(url);
    if (address === undefined) return declined(threadId, server, "a page that is not on the web");
    return {
      ...shared,
      approval: { kind: "page", id, server, message, url: address },
      respond: ({ decision }) => elicited(decision, null, null),
    };
  }
  if (mode !== "form") return declined(threadId, server, `a question of the kind ${mode}`);
  const fields = requestedSchema == null ? undefined : formFields(requestedSchema);
  if (fields === undefined) return declined(threadId, server, "a form that cannot be shown here");
  return {
    ...shared,
    approval: {
      kind: "questions",
      id,
      title: message === "" ? "a form" : message,
      server,
      fields,
    },
    respond: ({ decision, answers = {} }) => elicited(decision, answers, null),
  };
}

/**
 * A web address as it is shown and opened; undefined for any other.
 *
 * SECURITY: `https://bank.example@evil.example/` looks like another host, and so do lookalike
 * letters, which become punycode here.
 */
function pageAddress(url: string | null | undefined): string | undefined {
  if (url == null || !/^https?:\/\//i.test(url) || !URL.canParse(url)) return undefined;
  const { href, username, password } = new URL(url);
  return username === "" && password === "" ? href : undefined;
}

function declined(threadId: string, server: string, what: string): ServerRequest {
  return {
    type: "answered",
    threadId,
    result: elicited("decline", null, null),
    note: `The MCP server ${server.slice(0, 100)} asked for ${what.slice(0, 100)}, which was declined.`,
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

/** The arguments of a tool call, if Codex sends them. */
function argumentsText(display: unknown): string | undefined {
  if (display == null || (typeof display === "object" && Object.keys(display).length === 0))
    return undefined;
  return typeof display === "string" ? display : JSON.stringify(display, null, 2);
}
