/** The beginning of a label, at most 999 characters: up to a bracket that ends it or forbids it. */
const LABEL = /^\[(?:[^[\]\\]|\\.){0,999}/;

/**
 * Whether a paragraph that begins with `content` begins with a link reference definition (CommonMark
 * 4.7) or a footnote: `[label]: …`. With `ended`, nothing more comes on the line; a label that is
 * still open may then go on in the next one, and counts as one.
 *
 * SECURITY: a definition is not shown by a viewer and acts on the whole document: it could make a
 * link of what Codex, the user or we write in brackets, such as the box of a finished step.
 */
export function definitionAt(content: string, ended = false): "yes" | "no" | "perhaps" {
  const label = LABEL.exec(content)?.[0];
  if (label === undefined) return "no";
  const rest = content.slice(label.length);
  if (rest === "" || rest === "\\") return ended ? "yes" : "perhaps";
  if (rest === "]") return ended ? "no" : "perhaps";
  return rest.startsWith("]:") ? "yes" : "no";
}
