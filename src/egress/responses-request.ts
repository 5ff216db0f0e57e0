import { err, ok, type Result } from "../result.ts";
import { isWithin } from "./json-shape.ts";

/**
 * What a request may say, as Codex 0.169 says it of a provider of one's own. Left out on purpose:
 * `background` works on when nobody looks, `previous_response_id`, `conversation` and `prompt` reach
 * into what the account keeps.
 */
const KEYS = new Set(
  (
    "model instructions input tools tool_choice parallel_tool_calls reasoning store stream " +
    "stream_options include service_tier prompt_cache_key prompt_cache_options text " +
    "client_metadata max_output_tokens temperature top_p truncation metadata user safety_identifier"
  ).split(" "),
);
/** Tools that Codex runs itself. Others are run by the model's endpoint, which has a network. */
const TOOLS = new Set(["function", "custom", "local_shell", "tool_search", "namespace"]);
/** `ResponseItem` of Codex's own types, without `other`. */
export const ITEMS: ReadonlySet<string> = new Set(
  (
    "additional_tools message agent_message reasoning local_shell_call function_call " +
    "tool_search_call function_call_output custom_tool_call custom_tool_call_output " +
    "tool_search_output web_search_call image_generation_call compaction configuration_update " +
    "compaction_trigger context_compaction"
  ).split(" "),
);
/** Parts of a message or of a tool's output. */
export const PARTS: ReadonlySet<string> = new Set(
  "input_text output_text text refusal reasoning_text summary_text encrypted_content".split(" "),
);
/** Parts that carry their bytes with them, in an address of their own: which field that is. */
export const MEDIA: Readonly<Record<string, string>> = {
  input_image: "image_url",
  input_audio: "audio_url",
};

/** Many times what a conversation that fills the largest window has (some 10,000 values, depth 20). */
const BOUNDS = { maxValues: 500_000, maxDepth: 200 };

type Fields = { readonly [key: string]: unknown };

/**
 * Lets a request of the Responses API through if it is one that Codex makes, and returns the bytes to
 * send. The error is for its answer, and names what was in the way.
 *
 * SECURITY: the endpoint has a network where the sandbox has none. A request could have it run a tool
 * server or a search at any address, or fetch a picture from one, and so carry the project's files to
 * anyone. What is sent is written anew from what was checked, so that two readers of an odd JSON
 * cannot disagree about it.
 */
export function checkResponsesRequest(body: Buffer): Result<Buffer, string> {
  if (!isWithin(body, BOUNDS)) return err(refusal("it has too many parts, or too deep ones"));
  const parsed = parse(body);
  if (!isFields(parsed)) return err(refusal("its body is no JSON object"));
  const unknown = Object.keys(parsed).find((key) => !KEYS.has(key));
  if (unknown !== undefined) return err(refusal(`it has ${quote(unknown)}`));
  if (parsed["stream"] !== true) return err(refusal("it asks for no stream of events"));
  const wrong = wrongTools(parsed["tools"]) ?? wrongInput(parsed["input"]);
  return wrong === undefined ? ok(Buffer.from(JSON.stringify(parsed))) : err(refusal(wrong));
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** @returns what is wrong with the list, if anything; nested names hold functions only. */
function wrongTools(tools: unknown, depth = 0): string | undefined {
  return firstWrong(tools, "tools", (tool) => {
    const { type } = tool;
    if (typeof type !== "string" || !TOOLS.has(type)) return `it has the tool ${quote(type)}`;
    if (type === "tool_search" && tool["execution"] !== "client")
      return "it has a search of tools that the endpoint runs";
    if (type !== "namespace") return undefined;
    return depth > 0 ? "it has names within names of tools" : wrongTools(tool["tools"], depth + 1);
  });
}

function wrongInput(input: unknown): string | undefined {
  if (typeof input === "string") return undefined;
  return firstWrong(input, "input", (item) => {
    // The Responses API takes a message without a type for one.
    const { type = "message" } = item;
    if (typeof type !== "string" || !ITEMS.has(type)) return `it has the item ${quote(type)}`;
    return wrongTools(item["tools"]) ?? wrongParts(item["content"]) ?? wrongParts(item["output"]);
  });
}

function wrongParts(parts: unknown): string | undefined {
  if (typeof parts === "string") return undefined;
  return firstWrong(parts, "content", (part) => {
    const { type } = part;
    const source = typeof type === "string" && Object.hasOwn(MEDIA, type) ? MEDIA[type] : undefined;
    if (source === undefined)
      return typeof type === "string" && PARTS.has(type)
        ? undefined
        : `it has the part ${quote(type)}`;
    const url = part[source];
    return typeof url === "string" && url.startsWith("data:") && !("file_id" in part)
      ? undefined
      : `it has a ${type} that the endpoint would have to fetch`;
  });
}

function firstWrong(
  list: unknown,
  name: string,
  wrong: (entry: Fields) => string | undefined,
): string | undefined {
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) return `its ${name} is no list`;
  for (const entry of list) {
    const found = isFields(entry) ? wrong(entry) : `its ${name} holds what is no object`;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** SECURITY: the sandbox's own words, shown to the user. */
function quote(word: unknown): string {
  return typeof word === "string" ? word.replace(/[^\w.-]/g, "?").slice(0, 60) : "without a type";
}

function refusal(what: string): string {
  return `codex-chat: this call of the model is none that Codex makes: ${what}.`;
}
