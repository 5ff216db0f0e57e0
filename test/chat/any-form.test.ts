import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { readTranscript, writeTranscript } from "../../src/chat/format/transcript.ts";
import { looksLikeRole } from "../../src/chat/markdown/lookalike.ts";
import { parseNotification } from "../../src/codex/messages/notification.ts";
import { flatten, type JsonSchema } from "../codex/schema.ts";
import { documentText } from "../support/document-model.ts";
import { firstPrompt, hostileText, turnCompleted } from "./arbitrary.ts";
import { replay, type ScenarioEvent } from "./replay.ts";
import { headings, view } from "./viewer.ts";

// More runs find rarer forms: `PROPERTY_RUNS=20000 npx vitest run test/chat/any-form.test.ts`.
const runs = Number(process.env["PROPERTY_RUNS"] ?? 300);

/** Any value that the binary's own schema allows; optional fields are sometimes omitted. */
function valuesOf(
  schema: JsonSchema,
  root: JsonSchema,
  name: string,
  depth = 0,
): fc.Arbitrary<unknown> {
  if (depth > 7) return fc.constant(null);
  const variants = flatten(schema, root).map((branch) => variant(branch, root, name, depth));
  return fc.oneof(...variants);
}

function variant(
  schema: JsonSchema,
  root: JsonSchema,
  name: string,
  depth: number,
): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const values = types.map((type) => {
    switch (type) {
      case "null":
        return fc.constant(null);
      case "boolean":
        return fc.boolean();
      case "integer":
      case "number":
        return fc.nat(100_000);
      case "array":
        return fc.array(valuesOf(schema.items ?? {}, root, name, depth + 1), { maxLength: 2 });
      case "object":
        return objectOf(schema, root, depth);
      default:
        return textOf(name);
    }
  });
  return values.length === 0 ? fc.jsonValue({ maxDepth: 1 }) : fc.oneof(...values);
}

function objectOf(schema: JsonSchema, root: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [name, valuesOf(field, root, name, depth + 1)] as const,
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: [...(schema.required ?? [])] });
}

/** Few ids, so that notifications meet. */
function textOf(name: string): fc.Arbitrary<string> {
  if (name === "threadId") return fc.constant("t1");
  if (name === "turnId") return fc.constantFrom("u1", "u2");
  return /id$/i.test(name) ? fc.constantFrom("a", "b", "c") : hostileText;
}

describe("notifications in any form that the pinned app-server's schema allows", () => {
  let told: fc.Arbitrary<ScenarioEvent[]>;
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-forms-"));
    try {
      const codex = fileURLToPath(new URL("../../node_modules/.bin/codex", import.meta.url));
      await execa(codex, ["app-server", "generate-json-schema", "--experimental", "--out", dir]);
      const root = JSON.parse(
        await readFile(join(dir, "ServerNotification.json"), "utf8"),
      ) as JsonSchema;
      const all = flatten(root, root).flatMap((branch) => {
        const method = branch.properties?.["method"]?.enum?.[0];
        const params = branch.properties?.["params"];
        if (typeof method !== "string" || params === undefined) return [];
        const weight = /^item\/(?:started|completed)$/.test(method) ? 60 : 2;
        return [
          {
            weight,
            arbitrary: valuesOf(params, root, "").map((value) => parseNotification(method, value)),
          },
        ];
      });
      told = fc.array(fc.oneof(...all), { maxLength: 8 });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("are read", () => {
    const methods = fc.sample(told, { numRuns: runs, seed: 1 }).flat();
    expect(
      methods.flatMap((event) => ("method" in event && event.method === "invalid" ? [event] : [])),
    ).toEqual([]);
  });

  it("leave a conversation whole, in any order, with nothing open after the turn", () => {
    fc.assert(
      fc.property(told, (events) => {
        const { document } = replay([firstPrompt, ...events, turnCompleted()]);
        const text = documentText(document);
        expect([...document.marks.values()].filter((mark) => mark.mark === "running")).toEqual([]);
        expect(writeTranscript(readTranscript(text))).toBe(text);
        const viewed = view(text);
        expect([viewed.html, viewed.definitions, viewed.images]).toEqual([[], [], []]);
        const sections = headings(viewed).filter(
          (heading) => heading.tag === "h2" && heading.within.length === 0,
        );
        expect(sections.map((heading) => heading.text).filter(looksLikeRole)).toEqual([
          "You",
          "Codex",
          "You",
        ]);
      }),
      { numRuns: runs },
    );
  });
});
