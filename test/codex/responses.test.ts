/** Compares what our proxy lets through with what the pinned Codex can send. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ITEM_FIELD, ITEMS, MEDIA, PARTS } from "../../src/egress/model/responses-fields.ts";
import { checkResponsesRequest } from "../../src/egress/model/responses-request.ts";
import { exec, message, reply } from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome, program } from "./support.ts";

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
    const theirs = (await variants("ResponseItem")).filter((type) => type !== "other");
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
        expect([type, ...theirs.filter((name) => name !== ITEM_FIELD).sort()]).toEqual([
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
    expect(theirs.filter((type) => !known.has(type))).toEqual([]);
  });
});

it("lets through all that the pinned Codex sends, with each of its models", async () => {
  await using home = await CodexHome.make();
  await using model = await ScriptedModel.start();
  await using server = await AppServer.start({ home, model });
  const listed = await server.client.request("model/list", {});
  if (!listed.ok) throw new Error(listed.error.message);
  const names = listed.value.data.map((entry) => entry.model);
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    // The second call has the output of a tool in it, in whatever form this model calls tools.
    model.answer((_request, n) => reply(n === 0 ? exec("echo said") : message("Done.")));
    const started = await server.client.request("thread/start", {
      cwd: home.project,
      sandbox: "danger-full-access",
      approvalPolicy: "never",
      model: name,
    });
    if (!started.ok) throw new Error(started.error.message);
    expect(await server.turn(started.value.thread.id, "hi")).toMatchObject({ status: "completed" });
    const bodies = model.recorded
      .filter((request) => request.method === "POST")
      .map((request) => request.body);
    expect(bodies.length).toBeGreaterThanOrEqual(2);
    for (const body of bodies)
      expect(checkResponsesRequest(Buffer.from(body))).toMatchObject({ ok: true });
  }
});
