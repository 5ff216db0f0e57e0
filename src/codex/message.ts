import * as z from "zod";
import { parseJson } from "../parse-json.ts";

/**
 * SECURITY: zod makes an issue of some hundred bytes for every wrong element of a list; four million
 * in a line of 8 MB took 4 GB. The longest list of a real message, a thread's items, has thousands.
 */
const MAX_ELEMENTS = 100_000;
/** SECURITY: a value nested ten thousand levels deep cannot be serialized. Codex itself allows 128. */
const MAX_DEPTH = 128;

/** Codex's own ids are numbers. */
const MAX_ID_CHARS = 200;

const Message = z.looseObject({
  id: z.union([z.string().max(MAX_ID_CHARS), z.number()]).optional(),
  method: z.string().optional(),
});

/** One of JSON-RPC's three kinds: an answer has no method, a notification has no id. */
export type Message = z.infer<typeof Message>;

/**
 * Reads a line; undefined if it is not a message of the protocol. A message that is larger than any
 * real one is returned without its content, as an error, so that a request waiting for it fails.
 */
export function parseMessage(line: string): Message | undefined {
  const parsed = Message.safeParse(parseJson(line));
  if (!parsed.success) return undefined;
  if (isBounded(parsed.data)) return parsed.data;
  const { id, method } = parsed.data;
  return {
    ...(id === undefined ? {} : { id }),
    ...(method === undefined ? {} : { method }),
    error: { code: 0, message: "the message is larger than is allowed" },
  };
}

/** Checks a value level by level, because it may be too deep for recursion. */
function isBounded(value: object): boolean {
  let level: object[] = [value];
  let elements = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return false;
    const next: object[] = [];
    for (const entry of level) {
      if (Array.isArray(entry)) elements += entry.length;
      if (elements > MAX_ELEMENTS) return false;
      for (const child of Object.values(entry))
        if (typeof child === "object" && child !== null) next.push(child);
    }
    level = next;
  }
  return true;
}
