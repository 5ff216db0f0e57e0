import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { openLog, withoutSecrets } from "./log-file.ts";

const JWT = "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.c2lnbmF0dXJl";

async function logged(data: object, message = "said"): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-log-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, "host.log");
  openLog(path).info(data, message);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  return readFile(path, "utf8");
}

describe("the log", () => {
  it.each<[string, object]>([
    ["a header", { headers: { Authorization: "Bearer canary-123456" } }],
    ["a provider's header", { headers: { "x-api-key": "canary" } }],
    ["a login's field", { tokens: { refresh_token: "canary", id_token: "canary" } }],
    ["a value with quotes in it", { password: 'can"ary\\' }],
    ["an error that quotes a header", { err: new Error("bad header: Bearer canary-123456") }],
    ["a key in a sentence", { text: "the key sk-canary-1234567 is wrong" }],
    ["a token in a sentence", { text: `sent ${JWT}` }],
    ["an object in a string", { text: JSON.stringify({ a: `Bearer ${JWT}` }) }],
  ])("redacts secrets in %s", async (_name, data) => {
    const line = await logged(data);
    expect(line).toContain("[redacted]");
    expect(line).not.toMatch(/can.{0,3}ary|eyJjYW5hcnkiOjF9/);
    expect(JSON.parse(line)).toMatchObject({ msg: "said" });
  });

  it("leaves all other text unchanged", async () => {
    const data = { container: "codex-chat-1", image: "sha256:0123", usage: { total: 5 } };
    expect(JSON.parse(await logged(data))).toMatchObject(data);
  });

  it("has an error with its stack, its code and its cause", async () => {
    const cause = new TypeError("the inner one");
    const err = Object.assign(new Error("the outer one", { cause }), { code: "ENOENT" });
    expect(JSON.parse(await logged({ err }))).toMatchObject({
      err: {
        type: "Error",
        message: "the outer one",
        stack: expect.stringContaining("log-file.test.ts"),
        code: "ENOENT",
        cause: { type: "TypeError", message: "the inner one" },
      },
    });
  });

  it("has a line for data that JSON cannot represent", async () => {
    const circle: Record<string, unknown> = { name: "round" };
    circle["self"] = circle;
    expect(JSON.parse(await logged(circle))).toMatchObject({
      data: expect.stringContaining("Circular"),
      msg: "said",
    });
    expect(JSON.parse(await logged({ size: 5n }))).toMatchObject({ size: "5" });
  });

  it.each([
    ["debug", ["d", "i", "w", "e"]],
    ["info", ["i", "w", "e"]],
    ["error", ["e"]],
    ["silent", []],
  ])("contains the lines of the level %s and above", async (level, messages) => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-log-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const path = join(dir, "host.log");
    const log = openLog(path, level);
    log.debug({}, "d");
    log.info({}, "i");
    log.warn({}, "w");
    log.error({}, "e");
    const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(messages);
  });

  it("ends no conversation if the disk is full", () => {
    expect(() => openLog("/dev/full").error({}, "said")).not.toThrow();
  });

  it("stays valid JSON for any data", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom("apikey", "x", "password"), (text, name) => {
        const line = JSON.stringify({ [name]: text, inner: { password: text } });
        expect(() => JSON.parse(withoutSecrets(line))).not.toThrow();
      }),
    );
  });
});
