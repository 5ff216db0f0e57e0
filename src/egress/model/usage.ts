import { z } from "zod";
import type { CallUsage } from "../events.ts";

/** An event that ends an answer is larger only where it repeats more than it should. */
const MAX_LINE_BYTES = 8 * 1024 ** 2;
/** The events that end an answer and tell what it took. */
const LAST = /"type"\s*:\s*"response\.(?:completed|incomplete|failed)"/;

const Count = z.int().nonnegative();
const Last = z.object({
  type: z.string(),
  response: z.object({
    usage: z.object({
      input_tokens: Count,
      output_tokens: Count,
      total_tokens: Count.optional(),
    }),
  }),
});

/**
 * Reads from a stream of server-sent events what a call took. What cannot be read, it passes over:
 * then the call is estimated.
 */
export class UsageReader {
  #line: Buffer[] = [];
  #lineBytes = 0;
  #usage: CallUsage | undefined;

  /** What the answer has said so far. */
  get usage(): CallUsage | undefined {
    return this.#usage;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(10, from);
      this.#keep(chunk.subarray(from, at === -1 ? chunk.length : at));
      if (at === -1) return;
      this.#end();
      from = at + 1;
    }
  }

  #keep(part: Buffer): void {
    this.#lineBytes += part.length;
    if (this.#lineBytes <= MAX_LINE_BYTES) this.#line.push(part);
    else this.#line = [];
  }

  #end(): void {
    const isWhole = this.#lineBytes <= MAX_LINE_BYTES;
    const line = this.#line;
    this.#line = [];
    this.#lineBytes = 0;
    if (!isWhole) return;
    const bytes = Buffer.concat(line);
    if (bytes.indexOf("data:") !== 0 || !bytes.includes('"usage"')) return;
    const text = bytes.toString("utf8", 5);
    const found = LAST.test(text) ? parse(text) : undefined;
    // Of several that say they are the last, the one that costs most.
    if (found !== undefined && found.total >= (this.#usage?.total ?? 0)) this.#usage = found;
  }
}

/**
 * Estimates tokens from bytes, on the high side: four bytes of English or code are a token, and much
 * of what is sent is JSON around them (OpenAI's rule of thumb for its own tokenizers).
 */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/** The most tokens that so many bytes can be: no tokenizer makes more than one of a byte. */
export function mostTokens(bytes: number): number {
  return bytes;
}

function parse(text: string): CallUsage | undefined {
  try {
    const last = Last.safeParse(JSON.parse(text));
    if (!last.success) return undefined;
    const { input_tokens: input, output_tokens: output, total_tokens } = last.data.response.usage;
    return { input, output, total: Math.max(total_tokens ?? 0, input + output) };
  } catch {
    return undefined;
  }
}
