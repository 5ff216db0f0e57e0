import * as z from "zod";
import type { Field } from "./server-request.ts";

/** How many fields or questions are shown; the model or a server chooses their number. */
export const MAX_FIELDS = 50;
/** How many options of a field are shown. */
export const MAX_OPTIONS = 100;

const text = z.string().nullish().catch(null);
const count = z.number().optional().catch(undefined);
const titled = z
  .array(z.object({ const: z.string(), title: z.string() }))
  .nullish()
  .catch(null);
const values = z.array(z.string()).nullish().catch(null);

/** A field of an MCP form: flat, and of primitive types (MCP 2025-11-25, elicitation). */
const FormProperty = z.object({
  type: z.string(),
  title: text,
  description: text,
  default: z
    .union([z.string(), z.number(), z.boolean(), z.array(z.string())])
    .optional()
    .catch(undefined),
  enum: values,
  enumNames: values,
  oneOf: titled,
  /** The options of a list. */
  items: z.object({ enum: values, anyOf: titled }).nullish().catch(null),
  minItems: count,
  maxItems: count,
  format: text,
  minLength: count,
  maxLength: count,
  minimum: count,
  maximum: count,
});
type FormProperty = z.infer<typeof FormProperty>;

/** The schema of an MCP form. */
export const FormSchema = z.object({
  properties: z.record(z.string(), FormProperty),
  required: z.array(z.string()).nullish().catch(null),
});

/** The text formats that MCP defines; a text with any other is an ordinary text. */
const FORMATS = ["email", "uri", "date", "date-time"] as const;

/**
 * The fields of a form, in the form's order, each with one answer. Undefined if a required field
 * cannot be asked for, or is beyond the number of fields that are shown.
 */
export function formFields({
  properties,
  required,
}: z.infer<typeof FormSchema>): readonly Field[] | undefined {
  const needed = new Set(required ?? []);
  const fields = Object.entries(properties)
    .flatMap(([name, property]) => formField(name, property, needed.has(name)) ?? [])
    .slice(0, MAX_FIELDS);
  const names = new Set(fields.map((field) => field.name));
  return [...needed].every((name) => names.has(name)) ? fields : undefined;
}

function formField(name: string, property: FormProperty, required: boolean): Field | undefined {
  const shared = {
    name,
    label: property.title ?? name,
    ...(property.description == null ? {} : { description: property.description }),
    required,
    secret: false,
    other: false,
    ...(property.default === undefined ? {} : { default: property.default }),
  };
  const options = optionsOf(property);
  if (options.length > MAX_OPTIONS) return undefined;
  switch (property.type) {
    case "array":
      if (options.length === 0) return undefined;
      return {
        ...shared,
        type: "choices",
        options,
        ...range(property.minItems, property.maxItems),
      };
    case "number":
    case "integer":
      return {
        ...shared,
        type: property.type,
        options: [],
        ...range(property.minimum, property.maximum),
      };
    case "boolean":
      return { ...shared, type: "boolean", options: [] };
    case "string": {
      if (options.length > 0) return { ...shared, type: "choice", options };
      const format = FORMATS.find((known) => known === property.format);
      return {
        ...shared,
        type: "text",
        options: [],
        ...range(property.minLength, property.maxLength),
        ...(format === undefined ? {} : { format }),
      };
    }
    default:
      return undefined;
  }
}

function optionsOf(property: FormProperty): Field["options"] {
  const pairs = property.oneOf ?? property.items?.anyOf;
  if (pairs != null)
    return pairs.map((option) => ({ value: option.const, label: option.title, description: "" }));
  const plain = property.enum ?? property.items?.enum ?? [];
  return plain.map((value, n) => ({
    value,
    label: property.enumNames?.[n] ?? value,
    description: "",
  }));
}

function range(min: number | undefined, max: number | undefined) {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}
