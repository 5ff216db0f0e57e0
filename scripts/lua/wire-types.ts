import * as z from "zod";
import { actions } from "../../src/nvim/actions.ts";
import { calls, events, notifications } from "../../src/nvim/methods.ts";

/** Where the types for Lua are kept, below the checkout. */
export const WIRE_TYPES = "lua/codex-chat/host/wire.lua";

/** What is used of the JSON schemas that zod makes. */
type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly $defs?: Readonly<Record<string, Schema>>;
};

const HEADER = `--- Types of everything that crosses between Lua and the host; nothing is done here.
---
--- \`npm run format\` makes this file from the tables in src/nvim/methods.ts and src/nvim/actions.ts:
--- change those. \`buf\` is left out of notifications, because \`host.notify\` adds it.
---@meta
`;

/** LuaCATS types of every notification, call, event and action, from their tables. */
export function wireTypes(): string {
  const whole = z.toJSONSchema(
    z.object({
      notifications: z.object(notifications),
      events: z.object(events),
      args: z.object(mapped(calls, ({ args }) => args)),
      results: z.object(mapped(calls, ({ result }) => result)),
      actionParams: z.object(mapped(actions, ({ params }) => params)),
      actionResults: z.object(mapped(actions, ({ result }) => result)),
    }),
    { io: "input", unrepresentable: "any" },
  ) as Schema;
  const part = (name: string) => Object.entries(whole.properties?.[name]?.properties ?? {});
  const shared = Object.entries(whole.$defs ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    HEADER,
    ...shared.map(([name, schema]) => declaration(name, schema)),
    ...part("notifications").map(([name, schema]) => declaration(pascal(name), withoutBuf(schema))),
    ...part("events").map(([name, schema]) => declaration(`${name}Event`, schema)),
    ...part("actionParams").map(([name, schema]) => declaration(`${pascal(name)}Params`, schema)),
    ...part("actionResults")
      .filter(([, schema]) => schema.const !== true)
      .map(([name, schema]) =>
        alias(`${pascal(name)}Result`, [typeOf(schema)], schema.description),
      ),
    alias("NotificationName", Object.keys(notifications).map(quoted), "see host.notify"),
    alias("ActionName", Object.keys(actions).map(quoted), "see host.request"),
    handlers(part("args"), Object.fromEntries(part("results"))),
  ]
    .filter((text) => text !== "")
    .join("\n");
}

function mapped<T, R>(table: Readonly<Record<string, T>>, one: (entry: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(table).map(([name, entry]) => [name, one(entry)]));
}

/** `turn/send` as `TurnSend`. */
function pascal(name: string): string {
  return name.replace(/(?:^|[/_])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function withoutBuf(schema: Schema): Schema {
  const { buf: _, ...properties } = schema.properties ?? {};
  return { ...schema, properties };
}

/** A class of this name; an alias if the schema is no object, and nothing if it has no fields. */
function declaration(name: string, schema: Schema): string {
  if (schema.properties === undefined) return alias(name, variants(schema), schema.description);
  const fields = Object.entries(schema.properties);
  if (fields.length === 0) return "";
  const lines = fields.map(([field, of]) => {
    const isOptional = schema.required?.includes(field) !== true;
    // Lua has one word for absent and null.
    const type = isOptional ? typeOf(of).replace(/\|nil$/, "") : typeOf(of);
    return line(`---@field ${field}${isOptional ? "?" : ""} ${type}`, of.description);
  });
  return [line(`---@class (exact) ${named(name)}`, schema.description), ...lines, ""].join("\n");
}

function alias(name: string, types: readonly string[], description?: string): string {
  const [only, ...others] = types;
  const head = `---@alias ${named(name)}`;
  if (only !== undefined && others.length === 0) return `${line(`${head} ${only}`, description)}\n`;
  return [line(head, description), ...types.map((type) => `---| ${type}`), ""].join("\n");
}

/** The functions that the host calls. */
function handlers(
  args: readonly (readonly [string, Schema])[],
  results: Readonly<Record<string, Schema>>,
): string {
  const fields = args.map(([name, schema]) => {
    const { names } = calls[name as keyof typeof calls];
    const given = (schema.prefixItems ?? []).map((type, n) => `${names[n]}: ${typeOf(type)}`);
    const result = results[name] ?? {};
    const answer = result.type === "null" ? "" : `: ${typeOf(result)}`;
    return `---@field ${name} fun(${given.join(", ")})${answer}`;
  });
  return [`---@class (exact) ${named("Handlers")} what the host calls`, ...fields, ""].join("\n");
}

function variants(schema: Schema): readonly string[] {
  const { enum: values, anyOf, oneOf, type } = schema;
  if (values !== undefined) return values.map(quoted);
  if (Array.isArray(type)) return type.map((one: string) => typeOf({ ...schema, type: one }));
  return (anyOf ?? oneOf)?.map(typeOf) ?? [typeOf(schema)];
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return named(schema.$ref.replace("#/$defs/", ""));
  if (schema.const !== undefined) return quoted(schema.const);
  const { enum: values, anyOf, oneOf } = schema;
  if (
    values !== undefined ||
    anyOf !== undefined ||
    oneOf !== undefined ||
    Array.isArray(schema.type)
  )
    return variants(schema).join("|");
  switch (schema.type) {
    case "string":
    case "number":
    case "integer":
    case "boolean":
      return schema.type;
    case "null":
      return "nil";
    case "array": {
      if (schema.items === undefined) return "table";
      const item = typeOf(schema.items);
      return item.includes("|") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return objectType(schema);
    default:
      return "any";
  }
}

function objectType({ properties, required, additionalProperties }: Schema): string {
  if (additionalProperties !== undefined) return `table<string, ${typeOf(additionalProperties)}>`;
  const fields = Object.entries(properties ?? {}).map(
    ([name, of]) => `${name}${required?.includes(name) === true ? "" : "?"}: ${typeOf(of)}`,
  );
  return fields.length === 0 ? "table" : `{ ${fields.join(", ")} }`;
}

function named(name: string): string {
  return `codex-chat.${name}`;
}

function quoted(value: unknown): string {
  return JSON.stringify(value);
}

function line(text: string, description: string | undefined): string {
  return description === undefined ? text : `${text} ${description}`;
}
