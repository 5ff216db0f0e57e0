/** As much of a name as a sentence needs. */
const MAX_CHARS = 100;

/**
 * A name of the agent's choice in a sentence of ours. SECURITY: it can neither end its quotation nor
 * look like a command that is recommended.
 */
export function quoteName(name: string, maxChars = MAX_CHARS): string {
  const plain = name.replace(/[`“”"\p{Cc}]/gu, "'");
  return `“${plain.length > maxChars ? `${plain.slice(0, maxChars)}…` : plain}”`;
}
