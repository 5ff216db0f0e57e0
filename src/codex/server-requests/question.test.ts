import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRequest } from "./approval.ts";
import type { Answer, ServerRequest } from "./server-request.ts";

const elicit = (params: object) =>
  parseRequest(0, "mcpServer/elicitation/request", { threadId: "t", serverName: "db", ...params });
const askUser = (questions: unknown) =>
  parseRequest(0, "item/tool/requestUserInput", { threadId: "t", itemId: "i", questions });

function respond(request: ServerRequest, answer: Answer): unknown {
  if (request.type !== "approval") throw new Error(`not asked: ${request.type}`);
  return request.respond(answer);
}
const fields = (request: ServerRequest) =>
  request.type === "approval" && request.approval.kind === "questions"
    ? request.approval.fields
    : undefined;

const form = (properties: object, required?: readonly string[]) =>
  elicit({
    mode: "form",
    message: "Which one?",
    requestedSchema: { type: "object", properties, required },
  });

describe("a question of Codex's", () => {
  const question = { id: "q", header: "Store", question: "Where?", isOther: true, isSecret: false };
  const options = [{ label: "Here", description: "near" }];

  it("is shown with its options, and answered by its id", () => {
    const request = askUser([{ ...question, options }]);
    expect(request).toMatchObject({
      approval: { kind: "questions", id: "n0", itemId: "i", title: "a question" },
    });
    expect(fields(request)).toEqual([
      {
        name: "q",
        label: "Store",
        description: "Where?",
        type: "choice",
        required: true,
        secret: false,
        options: [{ value: "Here", label: "Here", description: "near" }],
        other: true,
      },
    ]);
    expect(respond(request, { decision: "accept", answers: { q: "Here" } })).toEqual({
      answers: { q: { answers: ["Here"] } },
    });
    for (const decision of ["decline", "cancel"] as const)
      expect(respond(request, { decision, answers: { q: "Here" } })).toEqual({ answers: {} });
  });

  it("asks for text if it has no options", () => {
    expect(fields(askUser([{ ...question, options: null }]))).toMatchObject([{ type: "text" }]);
    expect(fields(askUser([{ id: "q", question: "Where?", options: [] }]))).toMatchObject([
      { label: "Where?", type: "text", other: false, secret: false },
    ]);
  });

  const many = Array.from({ length: 101 }, () => ({ label: "a" }));

  it.each([
    [[]],
    [undefined],
    [[{ id: "q" }]],
    [Array.from({ length: 51 }, () => question)],
    [[{ ...question, options: many }]],
  ])("is refused without questions, or with too many", (questions) => {
    expect(askUser(questions)).toMatchObject({ type: "refused", code: -32602 });
  });
});

describe("a form of an MCP server", () => {
  it("has a field for each kind of value", () => {
    const request = form(
      {
        name: { type: "string", title: "Name", description: "yours", default: "Ada" },
        age: { type: "integer", minimum: 0 },
        size: { type: "number" },
        sure: { type: "boolean", default: false },
        old: { type: "string", enum: ["a", "b"], enumNames: ["A"] },
        one: { type: "string", oneOf: [{ const: "x", title: "X" }] },
      },
      ["name"],
    );
    expect(request).toMatchObject({ approval: { title: "Which one?", server: "db" } });
    expect(fields(request)).toMatchObject([
      { name: "name", label: "Name", type: "text", required: true, default: "Ada" },
      { name: "age", label: "age", type: "integer", required: false },
      { name: "size", type: "number" },
      { name: "sure", type: "boolean", default: false },
      { name: "old", type: "choice", options: [{ value: "a", label: "A" }, { label: "b" }] },
      { name: "one", type: "choice", options: [{ value: "x", label: "X" }] },
    ]);
    const answers = { name: "Ada", age: 3 };
    expect(respond(request, { decision: "accept", answers })).toEqual({
      action: "accept",
      content: answers,
      _meta: null,
    });
    expect(respond(request, { decision: "decline", answers })).toEqual({
      action: "decline",
      content: null,
      _meta: null,
    });
    expect(respond(request, { decision: "cancel" })).toMatchObject({ action: "cancel" });
  });

  const several = { type: "array", items: { type: "string", enum: ["a", "b"] } };

  it("has the bounds and formats of its fields", () => {
    const titled = { anyOf: [{ const: "x", title: "X" }] };
    const asked = form({
      mail: { type: "string", format: "email", minLength: 3, maxLength: 30 },
      odd: { type: "string", format: "colour" },
      age: { type: "integer", minimum: 0, maximum: 150 },
      tags: { ...several, minItems: 1, maxItems: 2, default: ["a"] },
      more: { type: "array", items: titled },
    });
    expect(fields(asked)).toMatchObject([
      { name: "mail", type: "text", format: "email", min: 3, max: 30 },
      { name: "odd", type: "text" },
      { name: "age", type: "integer", min: 0, max: 150 },
      { name: "tags", type: "choices", options: [{ value: "a" }, { value: "b" }], min: 1, max: 2 },
      { name: "more", type: "choices", options: [{ value: "x", label: "X" }] },
    ]);
    expect(fields(asked)?.[1]).not.toHaveProperty("format");
    expect(respond(asked, { decision: "accept", answers: { tags: ["a", "b"] } })).toMatchObject({
      content: { tags: ["a", "b"] },
    });
  });

  const strange = { type: "object", properties: {} };

  it("leaves out optional fields that cannot be asked for", () => {
    const properties = { deep: strange, list: { type: "array" }, name: { type: "string" } };
    expect(fields(form(properties, ["name"]))).toMatchObject([{ name: "name" }]);
  });

  it("is declined with a note when a required field cannot be asked for", () => {
    const declined = {
      type: "answered",
      threadId: "t",
      result: { action: "decline" },
      note: "The MCP server db asked for a form that cannot be shown here, which was declined.",
    };
    expect(form({ deep: strange }, ["deep"])).toMatchObject(declined);
    const many = Array.from({ length: 51 }, (_, n) => [`f${n}`, { type: "string" }]);
    expect(form(Object.fromEntries(many), ["f50"])).toMatchObject(declined);
    expect(fields(form(Object.fromEntries(many), ["f49"]))).toHaveLength(50);
  });
});

describe("a tool of an MCP server", () => {
  const tool = (meta: object) =>
    elicit({
      mode: "form",
      message: "Allow?",
      requestedSchema: { type: "object", properties: {} },
      _meta: { codex_approval_kind: "mcp_tool_call", ...meta },
    });

  it("is shown with its arguments, and can be accepted for the session", () => {
    const request = tool({ tool_name: "drop", tool_params_display: { table: "users" } });
    expect(request).toMatchObject({
      approval: {
        kind: "tool",
        server: "db",
        tool: "drop",
        message: "Allow?",
        detail: '{\n  "table": "users"\n}',
      },
    });
    expect(respond(request, { decision: "accept" })).toEqual({
      action: "accept",
      content: null,
      _meta: null,
    });
    expect(respond(request, { decision: "accept_session" })).toEqual({
      action: "accept",
      content: null,
      _meta: { persist: "session" },
    });
  });

  it("is asked about even without its arguments or its name", () => {
    expect(tool({ tool_name: "drop" })).toMatchObject({ approval: { kind: "tool", tool: "drop" } });
    expect(tool({})).toMatchObject({ approval: { kind: "tool", tool: "a tool" } });
  });
});

describe("a page of an MCP server", () => {
  const page = (url: unknown) =>
    elicit({ mode: "url", message: "Log in.", elicitationId: "1", url });

  it("is shown with its whole address", () => {
    const request = page("https://example.org/login?a=1");
    expect(request).toMatchObject({
      approval: { kind: "page", server: "db", url: "https://example.org/login?a=1" },
    });
    expect(respond(request, { decision: "accept" })).toMatchObject({ action: "accept" });
  });

  it("is shown with its address as a browser reads it", () => {
    expect(page("HTTPS://ex\u0430mple.org/\u202egpj")).toMatchObject({
      approval: { url: "https://xn--exmple-4nf.org/%E2%80%AEgpj" },
    });
  });

  it.each([
    "file:///etc/passwd",
    "javascript:alert(1)",
    "vim:x",
    " https://x",
    "https://bank.example@evil.example/",
    "https://",
    "",
    5,
    null,
  ])("is declined without asking if its address is %j", (url) => {
    expect(page(url)).toMatchObject({
      type: "answered",
      result: { action: "decline" },
      note: expect.stringContaining("a page that is not on the web"),
    });
  });
});

describe("another kind of question", () => {
  it.each(["openai/userVerification", "openai/form", "openaiForm", "later"])(
    "is declined: %s",
    (mode) => {
      const params = { mode, message: "m", requestedSchema: true };
      expect(elicit(params)).toMatchObject({
        type: "answered",
        result: { action: "decline" },
        note: `The MCP server db asked for a question of the kind ${mode}, which was declined.`,
      });
    },
  );

  it("never throws, for any content", () => {
    const value = fc.record({
      mode: fc.constantFrom("form", "url", "openai/form"),
      message: fc.jsonValue(),
      url: fc.jsonValue(),
      requestedSchema: fc.oneof(
        fc.jsonValue(),
        fc.record({
          properties: fc.dictionary(fc.string(), fc.jsonValue()),
          required: fc.jsonValue(),
        }),
      ),
      _meta: fc.jsonValue(),
    });
    fc.assert(
      fc.property(value, (params) => {
        expect(["approval", "answered", "refused"]).toContain(elicit(params).type);
      }),
    );
  });
});
