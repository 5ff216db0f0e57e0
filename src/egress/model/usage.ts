import * as z from "zod";
import type { CallUsage } from "../events.ts";

/** The event that ends a response repeats the response; none in earnest is larger. */
const MAX_LINE_BYTES = 8 * 1024 ** 2;
/** The events that end a response and report its usage. */
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
 * Reads a call's usage from a stream of server-sent events. It skips events that it cannot read;
 * the usage is then estimated.
 */
export class UsageReader {
  #line: Buffer[] = [];
  #lineBytes = 0;
  #usage: CallUsage | undefined;

  /** The usage reported so far. */
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
    // If several events claim to be the last, the most expensive one counts.
    if (found !== undefined && found.total >= (this.#usage?.total ?? 0)) this.#usage = found;
  }
}

/**
 * Estimates tokens from bytes, on the high side: four bytes of English or code make a token
 * (OpenAI's rule of thumb for its tokenizers), and many of the bytes sent are JSON around the text.
 */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/**
 * The most tokens that this many bytes can hold: no tokenizer makes more than one token per byte.
 */
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
