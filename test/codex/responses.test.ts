/** What our proxy lets through, held against what the pinned Codex can send. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ITEMS, MEDIA, PARTS } from "../../src/egress/responses-request.ts";
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
    expect([...ITEMS].sort()).toEqual(theirs.sort());
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
    const known = new Set([...PARTS, ...Object.keys(MEDIA)]);
    expect(theirs.filter((it) => !known.has(it))).toEqual([]);
  });
});
