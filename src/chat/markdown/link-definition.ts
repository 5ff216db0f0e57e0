/** The beginning of a label, at most 999 characters: up to a bracket that ends or forbids it. */
const LABEL = /^\[(?:[^[\]\\]|\\.){0,999}/;

/**
 * Whether a paragraph that begins with `content` begins with a link reference definition
 * (CommonMark 4.7) or a footnote: `[label]: …`. With `ended`, the line is complete; a label that is
 * still open may continue on the next line, and counts as a definition.
 *
 * SECURITY: viewers do not show a definition, but it affects the whole document: it could turn any
 * text in brackets into a link, also the user's, or the check box of a finished step.
 */
export function definitionAt(content: string, ended = false): "yes" | "no" | "perhaps" {
  const label = LABEL.exec(content)?.[0];
  if (label === undefined) return "no";
  const rest = content.slice(label.length);
  if (rest === "" || rest === "\\") return ended ? "yes" : "perhaps";
  if (rest === "]") return ended ? "no" : "perhaps";
  return rest.startsWith("]:") ? "yes" : "no";
}
