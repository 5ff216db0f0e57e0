/** The longest line, in bytes: far below the size at which the kernel may split a write. */
export const MAX_LINE_BYTES = 4096;

/** Bounds that are tried in turn until the line is short enough. */
const BOUNDS = [
  { chars: 1000, entries: 50 },
  { chars: 200, entries: 20 },
  { chars: 60, entries: 8 },
] as const;

/** Deeper than any entry. */
const MAX_DEPTH = 4;

/**
 * Serializes one line of the log, including its newline, in at most `MAX_LINE_BYTES`. Long values
 * are cut, with a note of how much is missing.
 *
 * SECURITY: strings come from programs inside. JSON keeps each on one line; characters that could
 * control a terminal showing the file, or change the direction of its text, are escaped as numbers.
 */
export function auditLine(fields: Readonly<Record<string, unknown>>): string {
  for (const bounds of BOUNDS) {
    const line = `${plain(JSON.stringify(bounded(fields, bounds, 0)))}\n`;
    if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  }
  const { time, pid, event } = fields;
  return `${JSON.stringify({ time, pid, event, cut: true })}\n`;
}

type Bounds = { readonly chars: number; readonly entries: number };

function bounded(value: unknown, bounds: Bounds, depth: number): unknown {
  if (typeof value === "string") return shortened(value, bounds.chars);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "…";
  if (Array.isArray(value)) {
    const kept = value.slice(0, bounds.entries).map((each) => bounded(each, bounds, depth + 1));
    const more = value.length - kept.length;
    return more > 0 ? [...kept, `… and ${more} more`] : kept;
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, bounds.entries)
      .map(([key, each]) => [key, bounded(each, bounds, depth + 1)]),
  );
}

function shortened(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars)}… (${text.length} characters)`;
}

/** Controls, separators, invisible characters and direction marks. */
const ACTING = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** The same JSON with visible characters only. */
function plain(json: string): string {
  return json.replace(ACTING, (char) =>
    [...Array(char.length).keys()]
      .map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
