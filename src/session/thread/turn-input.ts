import type { ParamsOf, UserInput } from "../../codex/index.ts";
import type { Query } from "../query.ts";

/**
 * Several queries as the inputs of one turn: their texts as one, then their attachments. One that two
 * of them have goes along once.
 */
export function inputsOf(queries: readonly Query[]): UserInput[] {
  if (queries.length === 0) return [];
  const parts = queries.flatMap((query) => query.context ?? []);
  const texts = new Set(parts.flatMap(({ text }) => (text === undefined ? [] : [text])));
  const images = new Set(parts.flatMap(({ image }) => (image === undefined ? [] : [image])));
  const skills = new Map(parts.flatMap(({ skill }) => (skill ? [[skill.path, skill.name]] : [])));
  return [
    textInput(queries.map((query) => query.text).join("\n\n")),
    ...[...texts].map(textInput),
    ...[...images].map((url) => ({ type: "image" as const, url })),
    ...[...skills].map(([path, name]) => ({ type: "skill" as const, name, path })),
  ];
}

/** A text as Codex takes it. */
export function textInput(text: string): UserInput {
  return { type: "text", text, text_elements: [] };
}

/** What Codex is to know besides the queries, by where it comes from. */
export function contextOf(
  texts: Readonly<Record<string, string | undefined>>,
): Pick<ParamsOf<"turn/start">, "additionalContext"> {
  const known = Object.entries(texts).flatMap(([source, value]) =>
    value === undefined ? [] : [[source, { value, kind: "application" as const }]],
  );
  return known.length === 0 ? {} : { additionalContext: Object.fromEntries(known) };
}
