import { isFields } from "../json-bounds.ts";

/**
 * What a call to the model may contain, as Codex 0.171 makes it to a custom provider: taken from
 * its types, and from the calls that it makes with every model that it lists.
 */

/** The fields of each `ResponseItem` in Codex's types, without `other`. */
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

/** A field of most items that the endpoint created and gets back. */
export const ITEM_FIELD = "internal_chat_message_metadata_passthrough";

/** The fields of the parts of a message or of a tool's output, besides `type`. */
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

/** Parts that carry their bytes as a data URL, and the field that holds it. */
export const MEDIA: Readonly<Record<string, string>> = {
  input_image: "image_url",
  input_audio: "audio_url",
};

/**
 * The tools that Codex runs itself, and their fields in Codex's types. Other tools run at the
 * model's endpoint, which has a network, and other fields (`server_url`, `container`,
 * `environment`) make the endpoint connect to or run something.
 */
export const TOOL_FIELDS: Readonly<Record<string, readonly string[]>> = {
  function: words("name description strict parameters output_schema defer_loading"),
  custom: words("name description format defer_loading"),
  local_shell: [],
  tool_search: words("execution description parameters"),
  namespace: words("name description tools defer_loading"),
};

/** What a response may include on request: only data that the endpoint alone can read. */
const INCLUDED = words("reasoning.encrypted_content output.encrypted_content");
/** How many fields the metadata of a call may have. */
const MAX_METADATA = 32;

/**
 * The fields of a call, and whether a value is allowed. Left out on purpose: `background` goes on
 * when nobody is watching; `previous_response_id`, `conversation` and `prompt` refer to data stored
 * in the account; `metadata`, `user` and `safety_identifier` are stored there; others make a
 * response larger or more expensive than the user has chosen.
 */
export const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  model: (value) => typeof value === "string" && value !== "" && value.length <= 200,
  stream: (value) => value === true,
  // Without it, the endpoint stores the conversation.
  store: (value) => value === false,
  input: () => true,
  tools: () => true,
  tool_choice: isOneOf("auto", "none", "required"),
  parallel_tool_calls: (value) => typeof value === "boolean",
  reasoning: isReasoning,
  include: (value) => Array.isArray(value) && value.every((name) => INCLUDED.includes(name)),
  prompt_cache_key: (value) => typeof value === "string" && value.length <= 256,
  text: isObjectOf({ verbosity: isWord, format: isSchema }),
  client_metadata: (value) =>
    isFields(value) &&
    Object.keys(value).length <= MAX_METADATA &&
    Object.values(value).every((entry) => typeof entry === "string"),
  // A more expensive tier is the user's choice; Codex does not ask for one by itself.
  service_tier: isOneOf("auto", "default"),
};

/**
 * Whether a value is a valid `reasoning`: how much the model reasons, and what it reports of that.
 */
export function isReasoning(value: unknown): boolean {
  return isObjectOf({ effort: isWord, summary: isWord, context: isWord })(value);
}

/** From the cheapest to the most expensive. */
const EFFORTS: readonly string[] = words("none minimal low medium high xhigh max ultra");

/**
 * Whether an effort costs no more than one of those chosen. An unknown effort counts as the most
 * expensive.
 */
export function isEffortWithin(effort: unknown, chosen: ReadonlySet<string>): boolean {
  if (typeof effort !== "string" || chosen.has(effort)) return true;
  const at = EFFORTS.indexOf(effort);
  return at !== -1 && at <= Math.max(...[...chosen].map((each) => EFFORTS.indexOf(each)));
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

/** The output format that the endpoint enforces. */
function isSchema(value: unknown): boolean {
  return isFields(value) && (value["type"] === "text" || value["type"] === "json_schema");
}

/** Accepts `null`, and objects with no other fields than these. */
function isObjectOf(
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
): (value: unknown) => boolean {
  return (value) =>
    value === null ||
    (isFields(value) &&
      Object.entries(value).every(
        ([key, entry]) => Object.hasOwn(fields, key) && fields[key]?.(entry) === true,
      ));
}
