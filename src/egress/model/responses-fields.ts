import { isFields } from "../json-bounds.ts";

/**
 * What a call of the model may have, as Codex 0.171 makes it of a provider of one's own: read from
 * its own types, and from the calls that it makes with every model that it lists.
 */

/** Fields of each `ResponseItem` of Codex's own types, without `other`. */
export const ITEMS: Readonly<Record<string, readonly string[]>> = {
  additional_tools: ["id", "role", "tools"],
  message: ["encrypted_content", "status", "id", "role", "content", "phase"],
  agent_message: ["id", "author", "recipient", "content"],
  reasoning: ["id", "summary", "content", "encrypted_content"],
  local_shell_call: ["encrypted_content", "id", "call_id", "status", "action"],
  function_call: words(
    "encrypted_content status id name namespace arguments encrypted_function_args call_id",
  ),
  tool_search_call: ["encrypted_content", "id", "call_id", "status", "execution", "arguments"],
  function_call_output: ["id", "call_id", "name", "namespace", "output"],
  custom_tool_call: words("encrypted_content id status call_id name namespace input"),
  custom_tool_call_output: ["id", "call_id", "name", "output"],
  tool_search_output: ["id", "call_id", "status", "execution", "tools"],
  web_search_call: ["encrypted_content", "id", "status", "action"],
  image_generation_call: ["encrypted_content", "id", "status", "revised_prompt", "result"],
  compaction: ["id", "encrypted_content"],
  configuration_update: ["reasoning"],
  compaction_trigger: [],
  context_compaction: ["id", "encrypted_content"],
};

/** A field of most items, which the endpoint has made itself and gets back. */
export const ITEM_FIELD = "internal_chat_message_metadata_passthrough";

/** Fields of the parts of a message or of a tool's output, beside the type. */
export const PARTS: Readonly<Record<string, readonly string[]>> = {
  input_text: ["text"],
  output_text: ["text", "annotations", "logprobs"],
  text: ["text"],
  refusal: ["refusal"],
  reasoning_text: ["text"],
  summary_text: ["text"],
  encrypted_content: ["encrypted_content"],
  input_image: ["image_url", "detail"],
  input_audio: ["audio_url"],
};

/** Parts that carry their bytes with them, in an address of their own: which field that is. */
export const MEDIA: Readonly<Record<string, string>> = {
  input_image: "image_url",
  input_audio: "audio_url",
};

/**
 * Tools that Codex runs itself (others are run by the model's endpoint, which has a network), and the
 * fields of each, as Codex's own types have them. Others have the endpoint reach out or
 * run something, such as `server_url`, `container` or `environment`.
 */
export const TOOL_FIELDS: Readonly<Record<string, readonly string[]>> = {
  function: words("name description strict parameters output_schema defer_loading"),
  custom: words("name description format defer_loading"),
  local_shell: [],
  tool_search: words("execution description parameters"),
  namespace: words("name description tools defer_loading"),
};

/** What an answer may bring along: what only the endpoint itself can read. */
const INCLUDED = words("reasoning.encrypted_content output.encrypted_content");
/** Fields of the metadata that Codex sends with a call. */
const MAX_METADATA = 32;

/**
 * The fields of a call, and what each may be. Left out on purpose: `background` works on when nobody
 * looks, `previous_response_id`, `conversation` and `prompt` reach into what the account keeps,
 * `metadata`, `user` and `safety_identifier` are kept there, and others make an answer larger or
 * dearer than the user has chosen.
 */
export const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  model: (value) => typeof value === "string" && value !== "" && value.length <= 200,
  stream: (value) => value === true,
  // Where it is absent, the endpoint keeps what was said.
  store: (value) => value === false,
  input: () => true,
  tools: () => true,
  tool_choice: isOneOf("auto", "none", "required"),
  parallel_tool_calls: (value) => typeof value === "boolean",
  reasoning: isReasoning,
  include: (value) => Array.isArray(value) && value.every((it) => INCLUDED.includes(it)),
  prompt_cache_key: (value) => typeof value === "string" && value.length <= 256,
  text: isTable({ verbosity: isWord, format: isSchema }),
  client_metadata: (value) =>
    isFields(value) &&
    Object.keys(value).length <= MAX_METADATA &&
    Object.values(value).every((it) => typeof it === "string"),
  // A dearer one is the user's choice, and Codex makes none by itself.
  service_tier: isOneOf("auto", "default"),
};

/** How much the model is to think, and what of it is told. */
export function isReasoning(value: unknown): boolean {
  return isTable({ effort: isWord, summary: isWord, context: isWord })(value);
}

/** From the cheapest to the dearest. */
const EFFORTS: readonly string[] = words("none minimal low medium high xhigh max ultra");

/**
 * Whether an effort is no dearer than one of those that were chosen. One that is not known here is
 * taken for dearer than all that are.
 */
export function isEffortWithin(effort: unknown, chosen: ReadonlySet<string>): boolean {
  if (typeof effort !== "string" || chosen.has(effort)) return true;
  const at = EFFORTS.indexOf(effort);
  return at !== -1 && at <= Math.max(...[...chosen].map((it) => EFFORTS.indexOf(it)));
}

function words(text: string): readonly string[] {
  return text.split(" ");
}

function isOneOf(...allowed: readonly string[]): (value: unknown) => boolean {
  return (value) => typeof value === "string" && allowed.includes(value);
}

function isWord(value: unknown): boolean {
  return value === null || (typeof value === "string" && /^[\w-]{0,40}$/.test(value));
}

/** The form of an answer, which the endpoint holds the model to. */
function isSchema(value: unknown): boolean {
  return isFields(value) && (value["type"] === "text" || value["type"] === "json_schema");
}

/** An object of these fields and no others; `null` is none. */
function isTable(
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
): (value: unknown) => boolean {
  return (value) =>
    value === null ||
    (isFields(value) &&
      Object.entries(value).every(
        ([key, entry]) => Object.hasOwn(fields, key) && fields[key]?.(entry) === true,
      ));
}
