/** Compares our schemas with those that the pinned binary generates. */

/** A JSON schema, with the keywords that the two generators use. */
export type JsonSchema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
};

/**
 * Lists where one of our schemas reads something that the binary does not send: an unknown name, a
 * field that we require and it may leave out, a type or a value that never occurs. Fields that it sends
 * and we do not read are no problem.
 */
export function differences(ours: JsonSchema, theirs: JsonSchema, root: JsonSchema): string[] {
  return compare(ours, theirs, root, "");
}

function compare(ours: JsonSchema, theirs: JsonSchema, root: JsonSchema, at: string): string[] {
  const variants = flatten(theirs, root);
  return flatten(ours, ours).flatMap((branch) => compareBranch(branch, variants, root, at));
}

function compareBranch(
  ours: JsonSchema,
  variants: readonly JsonSchema[],
  root: JsonSchema,
  at: string,
): string[] {
  const types = typesOf(ours);
  if (types.includes("null") || variants.some(isAnything)) return [];
  if (ours.properties !== undefined) return compareObject(ours, variants, root, at);
  if (types.includes("array")) {
    const lists = variants.filter((variant) => typesOf(variant).includes("array"));
    if (lists.length === 0) return [`${at}: is not an array there`];
    const { items } = ours;
    return items === undefined
      ? []
      : lists.flatMap((list) => compare(items, list.items ?? {}, root, `${at}[]`));
  }
  const values = valuesOf(ours);
  if (values.length > 0) {
    const known = variants.flatMap(valuesOf);
    const isOpen = variants.some(
      (variant) => valuesOf(variant).length === 0 && typesOf(variant).includes("string"),
    );
    return values
      .filter((value) => !isOpen && !known.includes(value))
      .map((value) => `${at}: is never ${JSON.stringify(value)} there`);
  }
  const known = variants.flatMap(typesOf);
  return types
    .filter((type) => !known.includes(type))
    .map((type) => `${at}: is not a ${type} there, but ${known.join(" or ")}`);
}

function compareObject(
  ours: JsonSchema,
  variants: readonly JsonSchema[],
  root: JsonSchema,
  at: string,
): string[] {
  const properties = Object.entries(ours.properties ?? {});
  const tags = properties.flatMap(([name, property]) =>
    "const" in property ? [{ name, value: property.const }] : [],
  );
  const fitting = variants.filter(
    (variant) =>
      variant.properties !== undefined &&
      tags.every(({ name, value }) => {
        const values = flatten(variant.properties?.[name] ?? {}, root).flatMap(valuesOf);
        return values.length === 0 || values.includes(value);
      }),
  );
  if (fitting.length === 0) return [`${at}: no such object there: ${JSON.stringify(tags)}`];
  return properties.flatMap(([name, property]) => {
    const path = `${at}.${name}`;
    const found = fitting.flatMap((variant) => variant.properties?.[name] ?? []);
    if (found.length === 0) return [`${path}: is unknown there`];
    // A field with a fallback, or one that may hold anything, may be absent.
    const isNeeded =
      ours.required?.includes(name) === true && !("default" in property) && !isAnything(property);
    const isSure = fitting.every((variant) => variant.required?.includes(name));
    const missing = isNeeded && !isSure ? [`${path}: is needed here and may be absent there`] : [];
    return [...missing, ...found.flatMap((theirs) => compare(property, theirs, root, path))];
  });
}

/** The schema's variants, with references followed; `null` is one of them. */
export function flatten(schema: JsonSchema | boolean, root: JsonSchema): JsonSchema[] {
  if (typeof schema === "boolean") return [{}];
  if (schema.$ref !== undefined) return flatten(follow(schema.$ref, root), root);
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) {
    return parts.flatMap((part) => flatten(part, root)).map((variant) => merge(schema, variant));
  }
  if (schema.allOf?.length === 1 && schema.allOf[0] !== undefined)
    return flatten(schema.allOf[0], root);
  return [schema];
}

/** A variant, with what all variants have. */
function merge({ properties, required, type }: JsonSchema, variant: JsonSchema): JsonSchema {
  if (properties === undefined) return variant;
  return {
    ...(type === undefined ? {} : { type }),
    ...variant,
    properties: { ...properties, ...variant.properties },
    required: [...(required ?? []), ...(variant.required ?? [])],
  };
}

function follow(ref: string, root: JsonSchema): JsonSchema {
  const name = ref.replace("#/definitions/", "");
  const found = name
    .split("/")
    .reduce<JsonSchema | undefined>(
      (at, part) =>
        at?.definitions?.[part] ?? (at as Record<string, JsonSchema> | undefined)?.[part],
      root,
    );
  if (found === undefined) throw new Error(`nothing is defined as ${ref}`);
  return found;
}

function isAnything(schema: JsonSchema): boolean {
  const parts = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? schema.$ref ?? schema.properties;
  return parts === undefined && typesOf(schema).length === 0 && valuesOf(schema).length === 0;
}

function typesOf({ type }: JsonSchema): string[] {
  const types = type === undefined ? [] : typeof type === "string" ? [type] : [...type];
  return types.map((name) => (name === "integer" ? "number" : name));
}

function valuesOf(schema: JsonSchema): unknown[] {
  return "const" in schema ? [schema.const] : [...(schema.enum ?? [])];
}
