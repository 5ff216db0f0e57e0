import { setTimeout as pause } from "node:timers/promises";
import { message, type Part, type Reply, rawEvent, reply } from "../../src/offline/reply.ts";

/** A stream: so many deltas, evenly in that time. */
export type Stream = { readonly deltas: number; readonly ms: number };

/** The last word of each stream: who has it has all. */
export const LAST_WORD = "finis";

/** Answers at once with this text, in one piece. */
export function said(text: string): Reply {
  return reply(message(text, { pieces: 1 }));
}

/** Answers with a stream. */
export function streamed(stream: Stream): Reply {
  return reply(streamPart(stream));
}

/** The n-th delta: a word of prose, a paragraph's end now and then. */
export function deltaOf(n: number, { deltas }: Stream): string {
  if (n === deltas - 1) return LAST_WORD;
  if (n % 40 === 39) return ".\n\n";
  return n % 17 === 5 ? "*emphasis*, " : n % 17 === 11 ? "a `name` " : `word${n % 7} `;
}

/** A stream as a part of an answer. */
export function streamPart(stream: Stream): Part {
  return async function* (context) {
    const { id, signal } = context;
    const item = { type: "message", role: "assistant", id: `msg_${id}` };
    const event = (data: object) => rawEvent(data)(context);
    yield* event({ type: "response.output_item.added", item: { ...item, content: [] } });
    let whole = "";
    const began = performance.now();
    for (let n = 0; n < stream.deltas; n++) {
      const early = began + (n / stream.deltas) * stream.ms - performance.now();
      if (early > 1) await pause(early, undefined, { signal });
      const delta = deltaOf(n, stream);
      whole += delta;
      yield* event({ type: "response.output_text.delta", item_id: item.id, delta });
    }
    const content = [{ type: "output_text", text: whole }];
    yield* event({ type: "response.output_item.done", item: { ...item, content } });
  };
}
