import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { DeltaMerger } from "./delta-merger.ts";

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

/** A merger, and all that it has passed, a text for each write. */
function merging() {
  const passed: string[] = [];
  const merger = new DeltaMerger((bytes) => passed.push(bytes.toString("latin1")));
  const push = (...events: string[]) => merger.push(Buffer.from(events.join(""), "utf8"));
  return { merger, passed, push };
}

let sequence = 0;
/** A delta as OpenAI's API writes it. */
function delta(text: string, more: Readonly<Record<string, unknown>> = {}): string {
  const type = "response.output_text.delta";
  const fields = { type, item_id: "msg_1", output_index: 0, content_index: 0, ...more };
  const data = { ...fields, delta: text, sequence_number: sequence++, obfuscation: "xyz" };
  return `event: ${fields.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

const done = (text: string) =>
  `event: response.output_text.done\ndata: ${JSON.stringify({ type: "response.output_text.done", text })}\n\n`;

/** The text of each delta of a stream, and every other event as it is. */
function read(stream: string): (string | { readonly delta: string })[] {
  return stream.split(/(?<=\n\n)/).map((event) => {
    const data = /^data: (.*)$/m.exec(event)?.[1];
    const parsed = data?.startsWith("{") ? (JSON.parse(data) as { delta?: string }) : {};
    return parsed.delta === undefined ? event : { delta: parsed.delta };
  });
}

describe("deltas of one text within a frame", () => {
  it("pass the first at once and the others as one event", () => {
    const { passed, push } = merging();
    const first = delta("One");
    push(first, delta(" two"), delta(" three"));
    expect(passed).toEqual([first]);
    push(delta(" four"));
    vi.advanceTimersByTime(33);
    expect(passed).toHaveLength(2);
    const type = "response.output_text.delta";
    expect(JSON.parse(/^data: (.*)$/m.exec(passed[1] ?? "")?.[1] ?? "")).toEqual({
      ...{ type, item_id: "msg_1", output_index: 0, content_index: 0 },
      ...{ delta: " two three four", sequence_number: sequence - 1 },
    });
    expect(passed[1]?.startsWith(`event: ${type}\ndata: {`)).toBe(true);
  });

  it("pass once per frame, however fast they arrive", () => {
    const { passed, push } = merging();
    for (let n = 0; n < 330; n++) {
      push(delta("x"));
      vi.advanceTimersByTime(1);
    }
    expect(passed).toHaveLength(11);
    const texts = read(passed.join("")).map((event) =>
      typeof event === "string" ? "" : event.delta,
    );
    expect(texts.join("")).toBe("x".repeat(330));
  });

  it("are no longer held once nothing arrives for a frame", () => {
    const { passed, push } = merging();
    push(delta("One"));
    vi.advanceTimersByTime(40);
    const later = delta(" two");
    push(later);
    expect(passed.at(-1)).toBe(later);
  });

  it("pass unchanged if only one arrives", () => {
    const { passed, push } = merging();
    const [first, second] = [delta("One"), delta(" two")];
    push(first, second);
    vi.advanceTimersByTime(33);
    expect(passed).toEqual([first, second]);
  });

  it("pass before the next event of another kind, and at the end", () => {
    const { merger, passed, push } = merging();
    push(delta("a"), delta("b"), delta("c"), done("abc"), delta("d"), delta("e"), delta("f"));
    merger.end();
    expect(read(passed.join(""))).toEqual([
      { delta: "a" },
      { delta: "bc" },
      done("abc"),
      { delta: "d" },
      { delta: "ef" },
    ]);
  });

  it("join the halves of a character that was split", () => {
    const { passed, push } = merging();
    push(delta("a"), delta("\ud83d"), delta("\ude00"));
    vi.advanceTimersByTime(33);
    expect(read(Buffer.from(passed.join(""), "latin1").toString("utf8"))[1]).toEqual({
      delta: "😀",
    });
  });

  it("stay apart beyond a limit, so that no line for Codex grows too long", () => {
    const { passed, push } = merging();
    push(...Array.from({ length: 10 }, () => delta("x".repeat(30_000))));
    vi.advanceTimersByTime(33);
    expect(passed.join("").match(/^data: /gm)).toHaveLength(6);
  });
});

describe("an event that is not merged", () => {
  it.each([
    ["another item", { item_id: "msg_2" }],
    ["another part", { content_index: 1 }],
    ["another kind", { type: "response.refusal.delta" }],
    ["an unknown field", { new: true }],
  ])("may be a delta of %s, which passes at once", (_what, more) => {
    const { passed, push } = merging();
    const events = [delta("a"), delta("b"), delta("c", more)] as const;
    push(...events);
    expect(passed.join("")).toBe(events.join(""));
  });

  it.each([
    ["probabilities", delta("b", { logprobs: [{ token: "b", logprob: -1 }] })],
    ["an id", `id: 7\n${delta("b")}`],
    ["data of two lines", 'data: {"type":"response.output_text.delta",\ndata: "delta":"b"}\n\n'],
    ["data that is not JSON", 'data: {"type":"response.output_text.delta"\n\n'],
    ["a delta that is not text", 'data: {"type":"response.output_text.delta","delta":{}}\n\n'],
    ["nothing but a comment", ": keep-alive\n\n"],
    ["no text", "data: [DONE]\n\n"],
  ])("may have %s, and passes at once unchanged", (_what, event) => {
    const { passed, push } = merging();
    const first = delta("a");
    push(first, event);
    expect(passed.join("")).toBe(first + event);
  });

  it("may be invalid UTF-8", () => {
    const { merger, passed } = merging();
    const event = Buffer.from(delta("\u00ff"), "latin1");
    merger.push(Buffer.concat([Buffer.from(delta("a")), event, event]));
    expect(passed.join("").endsWith(event.toString("latin1").repeat(2))).toBe(true);
  });

  it("may be long, and its beginning does not wait for its end", () => {
    const { passed, push } = merging();
    push(`data: ${"x".repeat(70_000)}`);
    expect(passed.join("")).toHaveLength(70_006);
    push("\n\n");
    expect(passed.join("").endsWith("x\n\n")).toBe(true);
  });

  it("may have unknown line ends, and is at most two frames late", () => {
    const { passed, push } = merging();
    const stream = delta("a").replaceAll("\n", "\r");
    push(stream);
    vi.advanceTimersByTime(66);
    push(stream);
    expect(passed.join("")).toBe(stream + stream);
  });
});

it("accepts lines that end with CR and LF", () => {
  const { passed, push } = merging();
  push(...["a", "b", "c"].map((text) => delta(text).replaceAll("\n", "\r\n")));
  vi.advanceTimersByTime(33);
  expect(read(passed[1] ?? "")).toEqual([{ delta: "bc" }]);
});

it("leaves no timer behind", () => {
  const { merger, push } = merging();
  push(delta("a"), delta("b"), "data: {");
  merger.end();
  expect(vi.getTimerCount()).toBe(0);
});

it("passes on the same text however the stream is cut, and whenever its parts arrive and it ends", () => {
  const event = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.string({ unit: "binary", maxLength: 4 }).map((text) => delta(text)),
    },
    fc
      .tuple(fc.string({ unit: "binary", maxLength: 4 }), fc.constantFrom("msg_2", "msg_3"))
      .map(([text, item_id]) => delta(text, { item_id })),
    fc.string({ unit: "binary" }).map(done),
    fc.constantFrom(": ping\n\n", "data: [DONE]\n\n", "event: x\n\n", "\n\n", "data: {\r\n\r\n"),
  );
  const cuts = fc.infiniteStream(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(50)));
  fc.assert(
    fc.property(fc.array(event), cuts, fc.double({ min: 0, max: 1 }), (events, steps, part) => {
      const whole = Buffer.from(events.join(""), "utf8");
      const bytes = whole.subarray(0, Math.round(whole.length * part));
      const { merger, passed } = merging();
      for (let at = 0; at < bytes.length; ) {
        const [length, ms] = steps.next().value as [number, number];
        merger.push(bytes.subarray(at, at + length));
        at += length;
        vi.advanceTimersByTime(ms);
      }
      merger.end();
      expect(folded(passed.join(""))).toEqual(folded(bytes.toString("latin1")));
    }),
  );
});

/** The stream's events, with the texts of neighbours for one item joined. */
function folded(stream: string): string[] {
  const all: { key: string; text: string }[] = [];
  for (const event of stream.split(/(?<=\n\r?\n)/)) {
    const data = /^data: (\{.*"delta".*\})$/m.exec(event)?.[1];
    const whole = data !== undefined && event.endsWith("\n\n");
    const fields = whole ? (JSON.parse(data) as Record<string, string>) : undefined;
    const key = fields?.["item_id"] ?? "";
    const text = fields === undefined ? event : (fields["delta"] ?? "");
    const last = all.at(-1);
    if (last !== undefined && key !== "" && last.key === key) last.text += text;
    else all.push({ key, text });
  }
  return all.map(({ key, text }) => `${key}: ${text}`);
}
