import { parseJson } from "../../parse-json.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Fields, isFields, isWithin } from "../json-bounds.ts";
import {
  FIELDS,
  ITEM_FIELD,
  ITEMS,
  isEffortWithin,
  isReasoning,
  MEDIA,
  PARTS,
  TOOL_FIELDS,
} from "./responses-fields.ts";

/** Many times what a conversation that fills the largest window has (10,000 values, depth 20). */
const BOUNDS = { maxValues: 500_000, maxDepth: 200 };

/** How many models or efforts a refusal names. */
const MAX_NAMED = 5;

/**
 * Checks that a request to the Responses API is one that Codex makes, and returns the bytes to
 * send. The error is the response's message and names the offending part.
 *
 * SECURITY: the endpoint has a network, and the sandbox has none. A request could make the endpoint
 * call a tool server, search, or fetch a picture at any address, and so carry the project's files
 * to anyone. It could also make the endpoint store the conversation, or use a more expensive model
 * than the user has chosen. The bytes to send are serialized from the checked value, so that two
 * parsers cannot disagree about odd JSON.
 *
 * `models` are the models that may be requested, and `efforts` those that no call may exceed; any
 * by default. `onRequest` gets each request that passes.
 */
export function checkResponsesRequest(
  body: Buffer,
  models?: ReadonlySet<string>,
  efforts?: ReadonlySet<string>,
  onRequest?: (request: Fields) => void,
): Result<Buffer, string> {
  if (!isWithin(body, BOUNDS))
    return err(refusal("it has too many values, or nests them too deeply"));
  const parsed = parseJson(body.toString("utf8"));
  if (!isFields(parsed)) return err(refusal("its body is not a JSON object"));
  const { stream, store, model, tools, input } = parsed;
  if (stream !== true) return err(refusal("it does not ask for a stream of events"));
  if (store !== false) return err(refusal("it makes the endpoint store the conversation (store)"));
  const wrong = wrongFields(parsed) ?? wrongTools(tools) ?? wrongInput(input);
  if (wrong === undefined && models !== undefined && !models.has(String(model)))
    return err(otherModel(String(model), models));
  const dear = wrong === undefined && efforts !== undefined ? dearer(parsed, efforts) : undefined;
  if (dear !== undefined) return err(otherEffort(dear, efforts));
  if (wrong !== undefined) return err(refusal(wrong));
  onRequest?.(parsed);
  return ok(Buffer.from(JSON.stringify(parsed)));
}

function wrongFields(request: Fields): string | undefined {
  for (const [key, value] of Object.entries(request)) {
    const isAllowed = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (isAllowed === undefined) return `it has ${quote(key)}`;
    if (!isAllowed(value)) return `it has ${quote(key)} with ${shown(value)}`;
  }
  return Object.hasOwn(request, "model") ? undefined : "it names no model";
}

/** Returns what is wrong with a list of tools, if anything. Namespaces may not be nested. */
function wrongTools(tools: unknown, depth = 0): string | undefined {
  return firstWrong(tools, "tools", (tool) => {
    const { type } = tool;
    const fields =
      typeof type === "string" && Object.hasOwn(TOOL_FIELDS, type) ? TOOL_FIELDS[type] : undefined;
    if (fields === undefined) return `it has the tool ${quote(type)}`;
    const odd = wrongKeys(tool, ["type", ...fields], `the tool ${quote(type)}`);
    if (odd !== undefined) return odd;
    if (type === "tool_search" && tool["execution"] !== "client")
      return "it has a tool search that the endpoint would run";
    if (type !== "namespace") return undefined;
    return depth > 0
      ? "it has a namespace of tools within another"
      : wrongTools(tool["tools"], depth + 1);
  });
}

function wrongInput(input: unknown): string | undefined {
  if (typeof input === "string") return undefined;
  return firstWrong(input, "input", (item) => {
    // The Responses API treats an item without a type as a message.
    const { type = "message" } = item;
    const fields = typeof type === "string" && Object.hasOwn(ITEMS, type) ? ITEMS[type] : undefined;
    if (fields === undefined) return `it has the item ${quote(type)}`;
    return (
      wrongKeys(item, ["type", ITEM_FIELD, ...fields], `the item ${quote(type)}`) ??
      wrongReasoning(type, item["reasoning"]) ??
      wrongTools(item["tools"]) ??
      wrongParts(item["content"]) ??
      wrongParts(item["summary"]) ??
      wrongParts(item["output"])
    );
  });
}

function wrongReasoning(type: unknown, reasoning: unknown): string | undefined {
  if (type !== "configuration_update" || reasoning === undefined || isReasoning(reasoning))
    return undefined;
  return `it has the item ${quote(type)} with "reasoning" of another form`;
}

/** An effort above all that were chosen, in the call or in an item that changes it. */
function dearer({ reasoning, input }: Fields, efforts: ReadonlySet<string>): string | undefined {
  const items = Array.isArray(input) ? input.filter(isFields) : [];
  return [reasoning, ...items.map((item) => item["reasoning"])]
    .map((value) => (isFields(value) ? value["effort"] : undefined))
    .find(
      (effort): effort is string => typeof effort === "string" && !isEffortWithin(effort, efforts),
    );
}

function wrongParts(parts: unknown): string | undefined {
  if (typeof parts === "string") return undefined;
  return firstWrong(parts, "content", (part) => {
    const { type } = part;
    const fields = typeof type === "string" && Object.hasOwn(PARTS, type) ? PARTS[type] : undefined;
    if (fields === undefined) return `it has the part ${quote(type)}`;
    const source = MEDIA[String(type)];
    const url = source === undefined ? "data:" : part[source];
    if (typeof url !== "string" || !url.startsWith("data:") || "file_id" in part)
      return `it has a ${type} that the endpoint would have to fetch`;
    return wrongKeys(part, ["type", ...fields], `the part ${quote(type)}`);
  });
}

function wrongKeys(value: Fields, allowed: readonly string[], where: string): string | undefined {
  const odd = Object.keys(value).find((key) => !allowed.includes(key));
  return odd === undefined ? undefined : `it has ${where} with ${quote(odd)}`;
}

function firstWrong(
  list: unknown,
  name: string,
  wrong: (entry: Fields) => string | undefined,
): string | undefined {
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) return `its ${name} is not a list`;
  for (const entry of list) {
    const found = isFields(entry) ? wrong(entry) : `its ${name} has an entry that is not an object`;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A word for the message. SECURITY: it comes from the sandbox and is shown to the user. */
function quote(word: unknown): string {
  return typeof word === "string" ? word.replace(/[^\w.-]/g, "?").slice(0, 60) : "without a type";
}

function shown(value: unknown): string {
  if (typeof value === "string") return quote(value);
  return typeof value === "object" ? "another value" : String(value).slice(0, 20);
}

function otherModel(model: string, models: ReadonlySet<string>): string {
  const named = [...models].slice(0, MAX_NAMED).join(", ");
  return `codex-chat: this call asks for the model ${quote(model)}, which is not chosen here (${named}). To allow it: :CodexChat model ${quote(model)}.`;
}

function otherEffort(effort: string, efforts: ReadonlySet<string> | undefined): string {
  const named = [...(efforts ?? [])].slice(0, MAX_NAMED).join(", ");
  return `codex-chat: this call asks for the effort ${quote(effort)}, above the one chosen here (${named}). To allow it: :CodexChat model.`;
}

function refusal(what: string): string {
  return `codex-chat: this is not a model call that Codex makes: ${what}.`;
}
