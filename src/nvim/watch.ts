import { Buffer as NvimBuffer } from "neovim/lib/api/Buffer.js";
import type { NeovimClient } from "neovim/lib/api/client.js";
import * as z from "zod";
import { err, ok, type Result } from "../result.ts";
import type { EditorError, EditorRequest } from "./error.ts";

/** Handlers of a buffer's changes. Rows are 0-based, ends exclusive. */
export type WatchHandlers = {
  /** The rows from `first` to before `last` became `lines`. `tick` is the new changedtick. */
  readonly onLines: (first: number, last: number, lines: readonly string[], tick: number) => void;
  /** The buffer was unloaded, or its text was read again: no more changes come. */
  readonly onDetach: () => void;
};

/** A buffer that is followed. */
export type BufferWatch = {
  /** The text when following began; every later change is an event. */
  readonly lines: readonly string[];
  /** Its changedtick. */
  readonly tick: number;
  /** Ends following. Idempotent. */
  stop(): void;
};

/** `nvim_buf_lines_event`: buffer, changedtick (nil in 'inccommand' previews), first, last, lines, more. */
const LinesEvent = z.tuple([
  z.unknown(),
  z.int().nullable(),
  z.int().min(0),
  z.int().min(-1),
  z.array(z.string()),
  z.boolean(),
]);

/** Follows buffers, each for at most one listener at a time. */
export class Buffers {
  readonly #client: NeovimClient;
  readonly #request: EditorRequest;
  /** Ends the present following of a buffer. */
  readonly #stops = new Map<number, () => Promise<void>>();

  constructor(client: NeovimClient, request: EditorRequest) {
    this.#client = client;
    this.#request = request;
  }

  /** Begins to follow; an earlier watch of the buffer gets no more events. */
  async watch(buf: number, handlers: WatchHandlers): Promise<Result<BufferWatch, EditorError>> {
    // Awaited: otherwise its last event would be taken for one of the new watch.
    await this.#stops.get(buf)?.();
    const key = new NvimBuffer({ transport: undefined, data: buf, client: this.#client } as never);
    let initial: { lines: string[]; tick: number } | undefined;
    let first: string[] = [];
    let stopped = false;
    // A change may come together with the initial text: it waits until the caller has that.
    let held: (() => void)[] | undefined = [];
    const deliver = (event: () => void): void => {
      if (held === undefined) event();
      else held.push(event);
    };
    const onLines = (...args: unknown[]): void => {
      const event = LinesEvent.safeParse(args);
      if (!event.success || stopped) return;
      const [, tick, start, end, lines, more] = event.data;
      if (initial === undefined) {
        // The whole text, in several messages where `more` says so.
        first = first.concat(lines);
        if (!more) initial = { lines: first, tick: tick ?? 0 };
        return;
      }
      // A preview by 'inccommand' of a command that is being typed. Neovim takes it back before it waits
      // for the next key, without an event.
      if (tick === null) return;
      deliver(() => handlers.onLines(start, end, lines, tick));
    };
    const forget = (): void => {
      this.#client.detachBuffer(key, "lines", onLines);
      this.#client.detachBuffer(key, "detach", onDetach);
      if (this.#stops.get(buf) === stop) this.#stops.delete(buf);
    };
    const onDetach = (): void => {
      if (stopped) return;
      stopped = true;
      forget();
      deliver(handlers.onDetach);
    };
    const stop = async (): Promise<void> => {
      if (stopped) return;
      stopped = true;
      forget();
      const detached = this.#request("nvim_buf_detach", [buf]);
      // The next watch of the buffer waits for this, even if the caller of `stop` does not.
      this.#stops.set(buf, () => detached.then(() => undefined));
      await detached;
    };
    this.#stops.set(buf, stop);
    this.#client.attachBuffer(key, "lines", onLines);
    this.#client.attachBuffer(key, "detach", onDetach);
    const attached = await this.#request("nvim_buf_attach", [buf, true, {}]);
    if (!attached.ok || attached.value !== true || initial === undefined) {
      stopped = true;
      forget();
      if (!attached.ok) return attached;
      return err({
        kind: "garbled",
        message: `buffer ${buf} cannot be followed: it is not loaded`,
      });
    }
    const { lines, tick } = initial;
    // The caller's own `await` continues before the next turn of the event loop.
    setImmediate(() => {
      const waiting = held ?? [];
      held = undefined;
      for (const event of waiting) event();
    });
    return ok({ lines, tick, stop: () => void stop() });
  }
}
