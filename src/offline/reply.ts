import { setTimeout as pause } from "node:timers/promises";

/** A piece of a response: text to send, or the point where the connection is cut. */
type Step = { readonly type: "text"; readonly text: string } | { readonly type: "cut" };

/** A response of the scripted model. */
export type Reply = {
  /** Set if the response is an HTTP error instead of a stream of events. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly steps: (responseId: string, signal: AbortSignal) => AsyncIterable<Step>;
};

/** A part of a streamed response; each yields items of the Responses API. */
export type Part = (context: {
  readonly id: string;
  readonly signal: AbortSignal;
}) => AsyncIterable<Step>;

/** A complete response: its parts in order, between `response.created` and `response.completed`. */
export function reply(...parts: readonly Part[]): Reply {
  return {
    async *steps(responseId, signal) {
      yield event({ type: "response.created", response: { id: responseId } });
      for (const [n, part] of parts.entries()) yield* part({ id: `${responseId}_${n}`, signal });
      yield event({
        type: "response.completed",
        response: {
          id: responseId,
          usage: {
            input_tokens: 1200,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: 90,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: 1290,
          },
        },
      });
    },
  };
}

/** An HTTP error with a body like those of OpenAI's service. */
export function httpError(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  more: { readonly code?: string; readonly param?: string } = {},
): Reply {
  const error = { message, type: "error", code: null, ...more };
  return httpBody(status, JSON.stringify({ error }), {
    "content-type": "application/json",
    ...headers,
  });
}

/** Any body with any status, as from a gateway. */
export function httpBody(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = { "content-type": "text/html" },
): Reply {
  return {
    status,
    headers,
    async *steps() {
      if (body !== "") yield text(body);
    },
  };
}

/** A stream that ends with this event instead of `response.completed`. */
export function endingIn(data: object): Reply {
  return {
    async *steps(responseId) {
      yield event({ type: "response.created", response: { id: responseId } });
      yield event(data);
    },
  };
}

/** A message of the model, streamed in pieces. */
export function message(
  words: string,
  options: { readonly pieces?: number; readonly pauseMs?: number; readonly phase?: string } = {},
): Part {
  const { pieces = 8, pauseMs = 0, phase } = options;
  return async function* ({ id, signal }) {
    const item = {
      type: "message",
      role: "assistant",
      id: `msg_${id}`,
      ...(phase ? { phase } : {}),
    };
    yield event({ type: "response.output_item.added", item: { ...item, content: [] } });
    for (const delta of cut(words, pieces)) {
      if (pauseMs > 0) await pause(pauseMs, undefined, { signal });
      yield event({ type: "response.output_text.delta", item_id: item.id, delta });
    }
    const content = [{ type: "output_text", text: words }];
    yield event({ type: "response.output_item.done", item: { ...item, content } });
  };
}

/** A summary of the model's reasoning. */
export function reasoning(summary: string): Part {
  return async function* ({ id }) {
    const item = { type: "reasoning", id: `rs_${id}`, encrypted_content: "none" };
    yield event({ type: "response.output_item.added", item: { ...item, summary: [] } });
    yield event({
      type: "response.reasoning_summary_part.added",
      item_id: item.id,
      summary_index: 0,
    });
    for (const delta of cut(summary, 4))
      yield event({
        type: "response.reasoning_summary_text.delta",
        item_id: item.id,
        summary_index: 0,
        delta,
      });
    const done = [{ type: "summary_text", text: summary }];
    yield event({ type: "response.output_item.done", item: { ...item, summary: done } });
  };
}

/** Calls a function by name. */
export function functionCall(name: string, args: object, namespace?: string): Part {
  return async function* ({ id }) {
    yield event({
      type: "response.output_item.done",
      item: {
        type: "function_call",
        id: `fc_${id}`,
        call_id: `call_${id}`,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        arguments: JSON.stringify(args),
      },
    });
  };
}

/** Runs a shell command. */
export function exec(cmd: string, options: { readonly yieldMs?: number } = {}): Part {
  return functionCall("exec_command", { cmd, yield_time_ms: options.yieldMs ?? 10_000 });
}

/** Edits files by a patch in Codex's format. */
export function applyPatch(patch: string): Part {
  return customCall("apply_patch", patch);
}

/** Runs a script that calls tools by itself, as models in code mode do. */
export function script(text: string): Part {
  return customCall("exec", text);
}

function customCall(name: string, input: string): Part {
  return async function* ({ id }) {
    yield event({
      type: "response.output_item.done",
      item: {
        type: "custom_tool_call",
        id: `ctc_${id}`,
        call_id: `call_${id}`,
        name,
        input,
      },
    });
  };
}

/** Sets the plan: its steps and the status of each. */
export function updatePlan(
  plan: readonly { readonly step: string; readonly status: string }[],
): Part {
  return functionCall("update_plan", { plan });
}

/** Cuts the connection. */
export function cutConnection(): Part {
  return async function* () {
    yield { type: "cut" };
  };
}

/** Sends bytes that are not an event. */
export function garbage(bytes = "data: {not json\n\nevent: nonsense\n\n\u0000\u0001\n"): Part {
  return async function* () {
    yield text(bytes);
  };
}

/** Sends nothing until the client closes the connection. */
export function silence(): Part {
  return async function* ({ signal }) {
    if (!signal.aborted)
      await new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => resolve(), { once: true }),
      );
    yield { type: "cut" };
  };
}

/** Any event, for cases that the helpers above do not cover. */
export function rawEvent(data: object): Part {
  return async function* () {
    yield event(data);
  };
}

function event(data: object): Step {
  const { type } = data as { readonly type?: string };
  return text(`event: ${type ?? "message"}\ndata: ${JSON.stringify(data)}\n\n`);
}

function text(value: string): Step {
  return { type: "text", text: value };
}

/** Cuts a text into pieces of about the same length, never within a character. */
function cut(words: string, pieces: number): string[] {
  const letters = [...words];
  const size = Math.max(1, Math.ceil(letters.length / pieces));
  return Array.from({ length: Math.ceil(letters.length / size) }, (_, n) =>
    letters.slice(n * size, (n + 1) * size).join(""),
  );
}
