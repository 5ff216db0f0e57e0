/** What changed in the types of a protocol, as lines that a person reads. */
import type { JsonSchema } from "../../test/codex/schema.ts";

/** What changed in one type: lines that begin with `-` or `+`. */
export type TypeChange = { readonly type: string; readonly lines: readonly string[] };

/**
 * Compares the types of those names, and all that they refer to, in two protocols. Each type comes
 * once, however many others use it.
 */
export function changedTypes(
  names: readonly string[],
  before: JsonSchema,
  after: JsonSchema,
): readonly TypeChange[] {
  const types = new Set([...reachable(names, before), ...reachable(names, after)]);
  return [...types].sort().flatMap((type) => {
    const [old, now] = [before, after].map((protocol) => linesOf(definition(protocol, type)));
    const lines = [
      ...[...(old ?? [])].filter((line) => !now?.has(line)).map((line) => `- ${line}`),
      ...[...(now ?? [])].filter((line) => !old?.has(line)).map((line) => `+ ${line}`),
    ];
    return lines.length === 0 ? [] : [{ type, lines }];
  });
}

/** The types of those names, and those that they refer to. */
function reachable(names: readonly string[], protocol: JsonSchema): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const schema = definition(protocol, name);
    if (schema === undefined || found.has(name)) continue;
    found.add(name);
    const refs = JSON.stringify(schema).matchAll(/"\$ref":"[^"]*\/([^"/]+)"/g);
    open.push(...[...refs].map(([, ref = ""]) => ref));
  }
  return found;
}

/** Newer messages stand in a namespace of their own, `v2`. */
function definition(protocol: JsonSchema, name: string): JsonSchema | undefined {
  const all = protocol.definitions as Record<string, JsonSchema> | undefined;
  const newer = all?.["v2"] as Record<string, JsonSchema> | undefined;
  return newer?.[name] ?? all?.[name];
}

/** One line for each field and value: `.item<mcpToolCall>.status: McpToolCallStatus`. */
function linesOf(schema: JsonSchema | undefined): ReadonlySet<string> {
  return new Set(schema === undefined ? [] : describe(schema, ""));
}

function describe(schema: JsonSchema | boolean, at: string): string[] {
  if (typeof schema === "boolean") return [`${at}: anything`];
  if (schema.$ref !== undefined) return [`${at}: ${schema.$ref.replace(/^.*\//, "")}`];
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const isOptional = schema.required?.includes(name) !== true;
    return describe(field, `${at}.${name}${isOptional ? "?" : ""}`);
  });
  const lines = [
    ...variants.flatMap((variant) => describe(variant, `${at}${tagOf(variant)}`)),
    ...fields,
    ...(schema.items === undefined ? [] : describe(schema.items, `${at}[]`)),
  ];
  if (lines.length > 0) return lines;
  const values = "const" in schema ? [schema.const] : schema.enum;
  if (values !== undefined) return values.map((value) => `${at}: ${JSON.stringify(value)}`);
  return [`${at}: ${[schema.type ?? "anything"].flat().join(" or ")}`];
}

/** What tells a variant of a union from the others, in angle brackets; empty where nothing does. */
function tagOf({ properties = {} }: JsonSchema): string {
  for (const name of ["type", "mode", "kind"]) {
    const value = properties[name]?.enum?.[0] ?? properties[name]?.const;
    if (typeof value === "string") return `<${value}>`;
  }
  return "";
}
