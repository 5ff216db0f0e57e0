import * as z from "zod";
import { Id } from "../id.ts";

/** Absent, null and a value of an unexpected type all mean that Codex did not say. */
const text = z.string().nullish().catch(null);
const number = z.number().nullish().catch(null);
/** zod 4 requires the key of a plain `z.unknown()`. */
const anything = z.unknown().optional();
const strings = z.array(z.string()).catch([]);

const PatchChangeKind = z.union([
  z.object({ type: z.literal("add") }),
  z.object({ type: z.literal("delete") }),
  z.object({ type: z.literal("update"), move_path: text }),
  // A kind from a later Codex still shows its diff.
  z.object({ type: z.string() }).transform(() => ({ type: "unknown" as const })),
]);

/** One file of a patch: `diff` is raw content for add and delete, hunks for update (0.171). */
export const FileUpdateChange = z.object({
  path: z.string(),
  kind: PatchChangeKind,
  diff: z.string().catch(""),
});
export type FileUpdateChange = z.infer<typeof FileUpdateChange>;

/** Every item kind of Codex 0.171, with the fields that are shown. */
const KnownItem = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("userMessage"),
    id: Id,
    clientId: Id.nullish().catch(null),
    content: z.array(z.unknown()).catch([]),
  }),
  z.object({
    type: z.literal("agentMessage"),
    id: Id,
    text: z.string(),
    phase: text,
    questions: z
      .array(z.object({ title: z.string(), options: strings }))
      .nullish()
      .catch(null),
  }),
  z.object({ type: z.literal("plan"), id: Id, text: z.string() }),
  z.object({
    type: z.literal("reasoning"),
    id: Id,
    summary: strings,
    content: strings,
    startedAtMs: number,
    completedAtMs: number,
  }),
  z.object({
    type: z.literal("commandExecution"),
    id: Id,
    command: z.string(),
    cwd: z.string().catch(""),
    /** What Codex takes the command for; of one that reads a file, the file. */
    commandActions: z
      .array(z.object({ type: z.string(), path: z.string().nullish().catch(null) }))
      .nullish()
      .catch(null),
    source: z.string().catch("agent"),
    status: z.string(),
    aggregatedOutput: text,
    exitCode: number,
    durationMs: number,
  }),
  z.object({
    type: z.literal("fileChange"),
    id: Id,
    changes: z.array(FileUpdateChange),
    status: z.string(),
  }),
  z.object({
    type: z.literal("mcpToolCall"),
    id: Id,
    server: z.string(),
    tool: z.string(),
    status: z.string(),
    arguments: anything,
    result: z
      .object({ content: z.array(z.unknown()).catch([]), structuredContent: anything })
      .nullish()
      .catch(null),
    error: z.object({ message: z.string() }).nullish().catch(null),
    durationMs: number,
  }),
  z.object({
    type: z.literal("dynamicToolCall"),
    id: Id,
    namespace: text,
    tool: z.string(),
    arguments: anything,
    status: z.string(),
    contentItems: z.array(z.unknown()).nullish().catch(null),
    success: z.boolean().nullish().catch(null),
    durationMs: number,
  }),
  z.object({
    type: z.literal("collabAgentToolCall"),
    id: Id,
    tool: z.string(),
    status: z.string(),
    receiverThreadIds: z.array(Id).catch([]),
    prompt: text,
    model: text,
    agentsStates: z
      .record(Id, z.object({ status: z.string(), message: text }))
      .nullish()
      .catch(null),
  }),
  z.object({
    type: z.literal("subAgentActivity"),
    id: Id,
    kind: z.string(),
    agentPath: z.string().catch(""),
  }),
  z.object({
    type: z.literal("webSearch"),
    id: Id,
    query: z.string().catch(""),
    action: z
      .object({
        type: z.string(),
        query: text,
        queries: z.array(z.string()).nullish().catch(null),
        url: text,
        pattern: text,
      })
      .nullish()
      .catch(null),
    /** The search results, if Codex sends them apart from the answer. */
    results: z.array(z.unknown()).nullish().catch(null),
  }),
  z.object({ type: z.literal("imageView"), id: Id, path: z.string() }),
  z.object({
    type: z.literal("imageGeneration"),
    id: Id,
    status: z.string().catch(""),
    revisedPrompt: text,
    /** The picture as base64. */
    result: text,
    savedPath: text,
    failure: z.object({ type: z.string() }).nullish().catch(null),
  }),
  z.object({ type: z.literal("sleep"), id: Id, durationMs: z.number().catch(0) }),
  z.object({ type: z.literal("contextCompaction"), id: Id }),
  z.object({ type: z.literal("enteredReviewMode"), id: Id, review: z.string().catch("") }),
  z.object({ type: z.literal("exitedReviewMode"), id: Id, review: z.string().catch("") }),
  z.object({
    type: z.literal("hookPrompt"),
    id: Id,
    fragments: z.array(z.object({ text: z.string() })).catch([]),
  }),
  z.object({
    type: z.literal("functionCallOutput"),
    id: Id,
    name: z.string().catch(""),
    namespace: text,
    output: anything,
  }),
]);

/** The kinds that are parsed; the contract test compares them with the binary's own schema. */
export const ITEM_TYPES: readonly string[] = KnownItem.options.map(
  (option) => option.shape.type.value,
);

const AnyItem = z.looseObject({ type: z.string().catch("unknown"), id: Id });

/**
 * An item of a turn. An item of an unknown kind, or of a known kind in an unknown form, becomes
 * `unknown` with its text, or with its fields as JSON if it has none. It is never dropped.
 */
export const Item = z.union([
  KnownItem,
  AnyItem.transform((item) => ({
    type: "unknown" as const,
    id: item.id,
    kind: item.type,
    ...wordsOf(item),
  })),
]);
export type Item = z.infer<typeof Item>;

const TEXTS =
  "text message summary content query command path output aggregatedOutput review prompt tool name";

/** An item's text, or its fields if it has none. */
function wordsOf(item: Record<string, unknown>): { text: string; fields?: string } {
  const text = textOf(item);
  if (text !== "") return { text };
  const { type: _type, id: _id, startedAtMs: _from, completedAtMs: _to, ...rest } = item;
  const filled = Object.entries(rest).filter(([, value]) => value != null && value !== "");
  if (filled.length === 0) return { text };
  return { text, fields: JSON.stringify(Object.fromEntries(filled), null, 2) };
}

/** The text of the first field that usually holds some, with the parts of a list joined. */
function textOf(item: Record<string, unknown>): string {
  for (const name of TEXTS.split(" ")) {
    const value = item[name];
    const parts: unknown[] = Array.isArray(value) ? value : [value];
    const words = parts.map((part) =>
      typeof part === "object" && part !== null && "text" in part ? part.text : part,
    );
    const text = words.filter((word) => typeof word === "string" && word !== "").join("\n\n");
    if (text !== "" && (Array.isArray(value) || typeof value === "string")) return text;
  }
  return "";
}
