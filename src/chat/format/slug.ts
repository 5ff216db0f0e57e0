import { basename } from "node:path";

/**
 * A file name's part for a query: its first words in lower case ASCII, joined by dashes, at most
 * `maxChars` long. A query without any such word gives `chat`.
 *
 * SECURITY: the result holds nothing but `a-z`, `0-9` and inner dashes, so it cannot leave a
 * directory, hide, or pass for an option.
 */
export function slug(query: string, maxChars = 48): string {
  const words = query
    .slice(0, 1000)
    .normalize("NFKD")
    .replace(/[\u0300-\u036f'’]/g, "")
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  let name = "";
  for (const word of words ?? []) {
    const next = name === "" ? word : `${name}-${word}`;
    if (next.length > maxChars) break;
    name = next;
  }
  return name === "" ? (words?.[0] ?? "chat").slice(0, maxChars) || "chat" : name;
}

/** What the names of a conversation's pictures begin with: the file's name in plain characters. */
export function pictureStem(conversation: string): string {
  return basename(conversation, ".md").replaceAll(/[^A-Za-z0-9_-]/g, "-");
}
