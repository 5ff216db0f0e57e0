/** How much of a name a sentence shows. */
const MAX_CHARS = 100;

/**
 * Quotes a name that the agent chose. SECURITY: the name can neither end its quotation nor look
 * like a recommended command.
 */
export function quoteName(name: string, maxChars = MAX_CHARS): string {
  const plain = name.replace(/[`“”"\p{Cc}]/gu, "'");
  return `“${plain.length > maxChars ? `${plain.slice(0, maxChars)}…` : plain}”`;
}
