/** What our proxy lets through, held against what the pinned Codex can send. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ITEM_FIELD, ITEMS, MEDIA, PARTS } from "../../src/egress/model/responses-fields.ts";
import { program } from "./support.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "codex-chat-responses-"));
  await execa(program, ["app-server", "generate-ts", "--experimental", "--out", dir]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The names in a generated union. */
async function variants(name: string): Promise<string[]> {
  const text = await readFile(join(dir, `${name}.ts`), "utf8");
  return [...text.matchAll(/"type": "(\w+)"/g)].map(([, type]) => type ?? "");
}

describe("a call of the pinned Codex", () => {
  it("has items that the proxy knows, each by its name", async () => {
    const theirs = (await variants("ResponseItem")).filter((it) => it !== "other");
    expect(Object.keys(ITEMS).sort()).toEqual(theirs.sort());
  });

  it("has fields in its items that the proxy knows, and no others", async () => {
    const text = await readFile(join(dir, "ResponseItem.ts"), "utf8");
    const plain = text.replace(/\/\*[\s\S]*?\*\//g, "");
    const items = [...plain.matchAll(/\{ "type": "(\w+)",([^{}]*)\}/g)];
    expect(items.length).toBeGreaterThanOrEqual(Object.keys(ITEMS).length);
    for (const [, type = "", rest = ""] of items) {
      const theirs = [...rest.matchAll(/(\w+)\??:/g)].map(([, name]) => name ?? "");
      if (type !== "other")
        expect([type, ...theirs.filter((it) => it !== ITEM_FIELD).sort()]).toEqual([
          type,
          ...[...(ITEMS[type] ?? [])].sort(),
        ]);
    }
  });

  it.each([
    "ContentItem",
    "FunctionCallOutputContentItem",
    "AgentMessageInputContent",
    "ReasoningItemContent",
    "ReasoningItemReasoningSummary",
  ])("has parts of %s that the proxy knows", async (name) => {
    const theirs = await variants(name);
    expect(theirs.length).toBeGreaterThan(0);
    const known = new Set([...Object.keys(PARTS), ...Object.keys(MEDIA)]);
    expect(theirs.filter((it) => !known.has(it))).toEqual([]);
  });
});
