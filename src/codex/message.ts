import { z } from "zod";

/**
 * SECURITY: zod makes an issue of some hundred bytes for every wrong element of a list; four million
 * in a line of 8 MB took 4 GB. The longest list of a real message, a thread's items, has thousands.
 */
const MAX_ELEMENTS = 100_000;
/** SECURITY: what is nested by the ten thousand cannot be written again. Codex itself takes 128. */
const MAX_DEPTH = 128;

/** Codex's own ids are numbers. */
const MAX_ID_CHARS = 200;

const Message = z.looseObject({
  id: z.union([z.string().max(MAX_ID_CHARS), z.number()]).optional(),
  method: z.string().optional(),
});

/** JSON-RPC's three kinds: an answer has no method, a notification no id. */
export type Message = z.infer<typeof Message>;

/**
 * Reads a line. Undefined: it is no message of the protocol. One with more in it than is ever sent is
 * given without its content, as an answer with an error, so that whoever waits for it hears of it.
 */
export function parseMessage(line: string): Message | undefined {
  const parsed = Message.safeParse(parseJson(line));
  if (!parsed.success) return undefined;
  if (isBounded(parsed.data)) return parsed.data;
  const { id, method } = parsed.data;
  return {
    ...(id === undefined ? {} : { id }),
    ...(method === undefined ? {} : { method }),
    error: { code: 0, message: "there is more in it than any message should have" },
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Goes through a value level by level, because it may be too deep for a recursion. */
function isBounded(value: object): boolean {
  let level: object[] = [value];
  let elements = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return false;
    const next: object[] = [];
    for (const it of level) {
      if (Array.isArray(it)) elements += it.length;
      if (elements > MAX_ELEMENTS) return false;
      for (const child of Object.values(it))
        if (typeof child === "object" && child !== null) next.push(child);
    }
    level = next;
  }
  return true;
}
