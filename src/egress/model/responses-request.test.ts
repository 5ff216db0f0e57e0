import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { call, codexRequest as request, setUpEgress } from "../../../test/support/egress.ts";
import { checkResponsesRequest } from "./responses-request.ts";

const said = (content: unknown) => ({ input: [{ type: "message", role: "user", content }] });

describe("a call that Codex makes", () => {
  it.each<[string, object]>([
    ["with nothing else", {}],
    ["with text only", { input: "hi" }],
    ["with the default service tier", { service_tier: "auto" }],
    ["with an answer in a form", { text: { format: { type: "json_schema", schema: {} } } }],
    ["without reasoning", { reasoning: null }],
    [
      "with an embedded picture",
      said([{ type: "input_image", image_url: "data:image/png;base64,AA==" }]),
    ],
    [
      "with a tool's output",
      { input: [{ type: "function_call_output", call_id: "c", output: "out" }] },
    ],
    [
      "with a picture from a tool",
      {
        input: [
          {
            type: "custom_tool_call_output",
            call_id: "c",
            output: [{ type: "input_image", image_url: "data:image/png;base64,AA==" }],
          },
        ],
      },
    ],
    [
      "with the model's reasoning",
      {
        input: [
          {
            type: "reasoning",
            summary: [{ type: "summary_text", text: "x" }],
            content: null,
            encrypted_content: "x",
          },
        ],
      },
    ],
    [
      "with tools among the messages",
      {
        input: [
          {
            type: "additional_tools",
            role: "developer",
            tools: [{ type: "custom", name: "exec" }],
          },
        ],
      },
    ],
    [
      "with tools that take an address",
      {
        tools: [
          {
            type: "function",
            name: "fetch",
            parameters: { properties: { server_url: { type: "string" } } },
          },
        ],
      },
    ],
  ])("is allowed %s", (_name, changes) => {
    const checked = checkResponsesRequest(request(changes));
    expect(checked.ok && JSON.parse(checked.value.toString())).toEqual(
      JSON.parse(request(changes).toString()),
    );
  });
});

describe("a call that makes the endpoint reach out, or that outlives the turn, is refused", () => {
  it.each<[string, object, string]>([
    [
      "an MCP server as a tool",
      { tools: [{ type: "mcp", server_url: "https://evil.example" }] },
      "the tool mcp",
    ],
    ["a web search", { tools: [{ type: "web_search" }] }, "the tool web_search"],
    [
      "a web search of an old version",
      { tools: [{ type: "web_search_preview" }] },
      "web_search_preview",
    ],
    [
      "a container at the endpoint",
      { tools: [{ type: "code_interpreter", container: { type: "auto" } }] },
      "code_interpreter",
    ],
    ["a shell at the endpoint", { tools: [{ type: "shell" }] }, "the tool shell"],
    [
      "the account's files",
      { tools: [{ type: "file_search", vector_store_ids: ["x"] }] },
      "file_search",
    ],
    [
      "a tool in a namespace",
      { tools: [{ type: "namespace", tools: [{ type: "mcp" }] }] },
      "the tool mcp",
    ],
    [
      "a namespace in a namespace",
      { tools: [{ type: "namespace", tools: [{ type: "namespace", tools: [{ type: "mcp" }] }] }] },
      "namespace of tools within another",
    ],
    [
      "a tool without a type",
      { tools: [{ server_url: "https://evil.example" }] },
      "the tool without a type",
    ],
    [
      "a tool search that runs at the endpoint",
      { tools: [{ type: "tool_search" }] },
      "tool search",
    ],
    ["tools that are not a list", { tools: { type: "mcp" } }, "its tools is not a list"],
    ["a tool that is not an object", { tools: ["mcp"] }, "not an object"],
    [
      "tools among the messages",
      { input: [{ type: "additional_tools", tools: [{ type: "mcp" }] }] },
      "the tool mcp",
    ],
    [
      "tools in a search's result",
      { input: [{ type: "tool_search_output", tools: [{ type: "mcp" }] }] },
      "the tool mcp",
    ],
    [
      "a picture at an address",
      said([{ type: "input_image", image_url: "https://evil.example/?q" }]),
      "have to fetch",
    ],
    [
      "a picture in the older form",
      said([{ type: "image_url", image_url: { url: "https://evil.example" } }]),
      "the part image_url",
    ],
    [
      "a picture from the account's files",
      said([{ type: "input_image", file_id: "file-1" }]),
      "have to fetch",
    ],
    [
      "a picture with two sources",
      said([{ type: "input_image", image_url: "data:,", file_id: "file-1" }]),
      "have to fetch",
    ],
    [
      "a picture whose address is in capitals",
      said([{ type: "input_image", image_url: "HTTPS://evil.example" }]),
      "have to fetch",
    ],
    [
      "a sound at an address",
      said([{ type: "input_audio", audio_url: "https://evil.example" }]),
      "have to fetch",
    ],
    [
      "a file at an address",
      said([{ type: "input_file", file_url: "https://evil.example" }]),
      "the part input_file",
    ],
    [
      "a picture in a tool's output",
      {
        input: [
          {
            type: "function_call_output",
            output: [{ type: "input_image", image_url: "https://evil.example" }],
          },
        ],
      },
      "have to fetch",
    ],
    [
      "a picture in a message without a type",
      {
        input: [
          { role: "user", content: [{ type: "input_image", image_url: "https://evil.example" }] },
        ],
      },
      "have to fetch",
    ],
    [
      "a part that is named like a field of every object",
      said([{ type: "constructor", constructor: "data:" }]),
      "the part constructor",
    ],
    [
      "an item that is stored at the endpoint",
      { input: [{ type: "item_reference", id: "x" }] },
      "the item item_reference",
    ],
    [
      "an approval of a tool server",
      { input: [{ type: "mcp_approval_response", approve: true }] },
      "mcp_approval_response",
    ],
    ["work in the background", { background: true }, "it has background"],
    ["an earlier answer", { previous_response_id: "resp_1" }, "it has previous_response_id"],
    ["a conversation of the account", { conversation: "conv_1" }, "it has conversation"],
    ["a prompt of the account", { prompt: { id: "pmpt_1" } }, "it has prompt"],
    ["no stream", { stream: false }, "stream of events"],
    ["an answer that is stored", { store: true }, "store the conversation"],
    ["an answer that may be stored", { store: undefined }, "store the conversation"],
    ["an answer that is stored by another value", { store: 0 }, "store the conversation"],
    ["a more expensive tier", { service_tier: "priority" }, "it has service_tier with priority"],
    ["another more expensive tier", { service_tier: "flex" }, "it has service_tier with flex"],
    [
      "a tier that is not a string",
      { service_tier: ["priority"] },
      "service_tier with another value",
    ],
    ["stored labels", { metadata: { a: "b" } }, "it has metadata"],
    ["a user's name", { user: "x" }, "it has user"],
    ["another name of a user", { safety_identifier: "x" }, "it has safety_identifier"],
    ["a larger answer", { max_output_tokens: 1_000_000 }, "it has max_output_tokens"],
    ["more tool calls", { max_tool_calls: 1000 }, "it has max_tool_calls"],
    ["truncated input", { truncation: "auto" }, "it has truncation"],
    ["stream options", { stream_options: { include_obfuscation: false } }, "stream_options"],
    ["token probabilities", { top_logprobs: 20 }, "it has top_logprobs"],
    ["a long-lived cache", { prompt_cache_retention: "24h" }, "it has prompt_cache_retention"],
    ["several answers", { n: 5 }, "it has n"],
    ["another temperature", { temperature: 2 }, "it has temperature"],
    ["instructions of the call's own", { instructions: "x" }, "it has instructions"],
    [
      "results of a search at the endpoint",
      { include: ["file_search_call.results"] },
      "it has include",
    ],
    ["a tool at the endpoint that must be used", { tool_choice: { type: "web_search" } }, "choice"],
    ["nested metadata", { client_metadata: { a: { b: "c" } } }, "it has client_metadata"],
    ["reasoning in another form", { reasoning: { generate_summary: "x" } }, "it has reasoning"],
    ["a field that every object has", { constructor: "x" }, "it has constructor"],
    ["no model", { model: undefined }, "names no model"],
    ["a model that is not a string", { model: { id: "x" } }, "it has model"],
    [
      "an item with a file of the account",
      { input: [{ type: "image_generation_call", id: "i", result: "", file_id: "file-1" }] },
      "the item image_generation_call with file_id",
    ],
    [
      "a text with a file of the account",
      said([{ type: "input_text", text: "", file_url: "https://evil.example" }]),
      "the part input_text with file_url",
    ],
    [
      "a picture in the reasoning",
      {
        input: [
          {
            type: "reasoning",
            summary: [{ type: "input_image", image_url: "https://evil.example" }],
          },
        ],
      },
      "have to fetch",
    ],
    ["a key with control characters", { "\u001b]52;c;x": 1 }, "it has ??52?c?x"],
  ])("%s", (_name, changes, why) => {
    const checked = checkResponsesRequest(request(changes));
    expect(checked).toEqual({
      ok: false,
      error: expect.stringMatching(/^codex-chat: this is not a model call that Codex makes: /),
    });
    expect(!checked.ok && checked.error).toContain(why);
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["invalid JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["JSON with a comment", '{"stream":true/**/,"background":true}'],
    ["a million objects", `{"stream":true,"input":[${"{},".repeat(1_000_000)}{}]}`],
    [
      "too deeply nested arrays",
      `{"stream":true,"text":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
    ],
  ])("%s", (_name, body) => {
    expect(checkResponsesRequest(Buffer.from(body)).ok).toBe(false);
  });
});

/** The fields that every call needs. */
const MUST = '"model":"m","store":false,"stream":true';

describe("the request that is sent on", () => {
  it("has each key once, so that no other reader finds another request in it", () => {
    const twice = `{${MUST},"tools":[{"type":"mcp"}],"input":[],"tools":[{"type":"custom"}]}`;
    const checked = checkResponsesRequest(Buffer.from(twice));
    expect(checked.ok && checked.value.toString()).toBe(
      `{${MUST},"tools":[{"type":"custom"}],"input":[]}`,
    );
    const hidden = `{${MUST},"tools":[{"type":"custom","type":"mcp"}]}`;
    expect(checkResponsesRequest(Buffer.from(hidden)).ok).toBe(false);
  });

  it("is what was checked, for any JSON", () => {
    fc.assert(
      fc.property(fc.json(), fc.boolean(), (text, isStream) => {
        const tool = `{"type":"function","parameters":${text}}`;
        const body = `{"model":"m","store":false,"stream":${isStream},"tools":[${tool}]}`;
        const checked = checkResponsesRequest(Buffer.from(body));
        expect(checked.ok).toBe(isStream);
        if (checked.ok) {
          const sent = checked.value.toString();
          expect(JSON.stringify(JSON.parse(sent))).toBe(JSON.stringify(JSON.parse(body)));
        }
      }),
    );
  });
});

describe("on the model's port", () => {
  it("an unusual call is refused before it reaches the endpoint", async () => {
    const odd = request({ tools: [{ type: "mcp", server_url: "https://evil.example" }] });
    let reached = 0;
    const handler = (_: unknown, response: { end: (text: string) => void }) => {
      reached++;
      response.end("done");
    };
    const checked = await setUpEgress(handler, { checkBody: checkResponsesRequest });
    const refused = await call(checked.link.modelPort, { body: odd });
    expect(refused).toMatchObject({ status: 403 });
    expect(refused.body).toContain("the tool mcp");
    expect(checked.events).toEqual([
      { type: "model_refused", reason: expect.stringContaining("the tool mcp"), isOdd: true },
    ]);
    expect(reached).toBe(0);

    const control = await setUpEgress(handler);
    expect(await call(control.link.modelPort, { body: odd })).toMatchObject({ status: 200 });
    expect(reached).toBe(1);
  });

  it("a compressed call is refused", async () => {
    const { link } = await setUpEgress((_, response) => void response.end());
    const answer = await call(link.modelPort, { headers: { "content-encoding": "zstd" } });
    expect(answer).toMatchObject({ status: 415 });
  });
});

describe("a tool with a field that no tool of Codex has", () => {
  it.each([
    ["function", "server_url"],
    ["function", "environment"],
    ["custom", "container"],
    ["local_shell", "environment"],
    ["namespace", "connector_id"],
    ["tool_search", "server_url"],
  ])("is refused: %s with %s", (type, field) => {
    const named = type === "tool_search" ? { execution: "client" } : { name: "x" };
    const bare = type === "local_shell" ? { type } : { type, ...named };
    expect(checkResponsesRequest(request({ tools: [bare] }))).toMatchObject({ ok: true });
    const odd = { ...bare, [field]: "https://evil.example" };
    for (const changes of [
      { tools: [odd] },
      { input: [{ type: "tool_search_output", call_id: "c", tools: [odd] }] },
      { input: [{ type: "additional_tools", role: "developer", tools: [odd] }] },
    ])
      expect(checkResponsesRequest(request(changes))).toMatchObject({
        ok: false,
        error: expect.stringContaining(`the tool ${type} with ${field}`),
      });
  });

  it("is also refused in a namespace", () => {
    const tools = [{ type: "function", name: "f", server_url: "https://evil.example" }];
    expect(
      checkResponsesRequest(request({ tools: [{ type: "namespace", name: "n", tools }] })),
    ).toMatchObject({ ok: false });
  });
});
