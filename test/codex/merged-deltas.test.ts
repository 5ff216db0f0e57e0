import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DeltaMerger } from "../../src/egress/model/delta-merger.ts";
import {
  message,
  type Part,
  type Reply,
  rawEvent,
  reasoning,
  reply,
} from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

/** The same reply after the way through the merger, in frames of 5 ms. */
function merged(original: Reply): Reply {
  return {
    ...original,
    async *steps(id, signal) {
      const passed: string[] = [];
      const merger = new DeltaMerger((bytes) => passed.push(bytes.toString("utf8")), 5);
      for await (const step of original.steps(id, signal)) {
        if (step.type === "cut") throw new Error("no reply is cut here");
        merger.push(Buffer.from(step.text));
        for (const text of passed.splice(0)) yield { type: "text", text };
      }
      merger.end();
      for (const text of passed) yield { type: "text", text };
    },
  };
}

/** A text in pieces; the events name the same item as those around them. */
function pieces(type: string, texts: readonly string[], pauseMs: number): Part {
  return async function* ({ id, signal }) {
    for (const delta of texts) {
      await pause(pauseMs, undefined, { signal });
      yield* rawEvent({ type, item_id: `raw_${id}`, output_index: 0, summary_index: 0, delta })({
        id,
        signal,
      });
    }
  };
}

/** All that Codex said of a turn, with the pieces of each text joined. */
function said(server: AppServer, turnId: string): unknown {
  const deltas: Record<string, string> = {};
  const items: unknown[] = [];
  for (const { method, params } of server.told as readonly {
    readonly method: string;
    readonly params: Readonly<Record<string, unknown>>;
  }[]) {
    if (params?.["turnId"] !== turnId) continue;
    if (typeof params["delta"] === "string")
      deltas[method] = `${deltas[method] ?? ""}${params["delta"]}`;
    if (method === "item/completed")
      items.push({
        ...(params["item"] as object),
        id: "",
        clientId: "",
        startedAtMs: 0,
        completedAtMs: 0,
      });
  }
  return { deltas, items };
}

it("makes the same items of a stream whose deltas were merged, however that was cut", async () => {
  await using home = await CodexHome.make();
  await using model = await ScriptedModel.start();
  await using server = await AppServer.start({ home, model });
  const threadId = await server.startThread();
  const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
  const text = fc.tuple(words, fc.integer({ min: 1, max: 60 }), fc.nat(2));
  const part = fc.oneof(
    text.map(([content, n, pauseMs]) => message(content, { pieces: n, pauseMs })),
    words.map(reasoning),
    fc
      .tuple(
        fc.constantFrom(
          "response.output_text.delta",
          "response.reasoning_summary_text.delta",
          "response.custom_tool_call_input.delta",
        ),
        fc.array(words, { maxLength: 20 }),
        fc.nat(2),
      )
      .map((drawn) => pieces(...drawn)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
      const turns: unknown[] = [];
      for (const answer of [reply(...parts), merged(reply(...parts))]) {
        model.answerInTurn(answer);
        const turnId = await server.startTurn(threadId, "Go.");
        expect(await server.turnEnd(turnId)).toMatchObject({ status: "completed" });
        turns.push(said(server, turnId));
      }
      expect(turns[1]).toEqual(turns[0]);
    }),
    { numRuns: 20 },
  );
});
