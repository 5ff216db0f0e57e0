import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { model, openClient, settle } from "../../test/codex/as-app-server.ts";
import type { Answer } from "./server-requests/server-request.ts";

describe("a request of Codex", () => {
  const question = (id: number | string) => ({
    id,
    method: "item/commandExecution/requestApproval",
    params: { threadId: "t", turnId: "u", itemId: "i", command: "ls" },
  });

  it.each([0, "0"])("is answered when its id is %j", async (id) => {
    const { say, heard, asked } = openClient();
    say(question(id));
    await settle();
    expect(heard()).toEqual([{ id, result: { decision: "accept" } }]);
    expect(asked).toMatchObject([{ kind: "command", command: "ls" }]);
  });

  it("is answered with an error when its method is unknown", async () => {
    const { say, heard } = openClient();
    say({ id: 1, method: "constructor", params: {} }, { id: 2, method: "attestation/generate" });
    await settle();
    expect(heard()).toMatchObject([
      { id: 1, error: { code: -32601 } },
      { id: 2, error: { code: -32601 } },
    ]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("a bug");
      },
    ],
    ["rejects", () => Promise.reject(new Error("a bug"))],
  ])("is answered with an error when asking %s", async (_, onApproval) => {
    const { say, heard, logged } = openClient({ onApproval });
    say(question(0));
    await settle();
    expect(heard()).toMatchObject([{ id: 0, error: { code: -32603 } }]);
    expect(logged).toEqual(["error: a message could not be handled"]);
  });

  it("is shown once even if it is sent several times, and its id can be used again", async () => {
    let answer: (answer: Answer) => void = () => {};
    const onApproval = vi.fn(() => new Promise<Answer>((resolve) => (answer = resolve)));
    const { say, heard } = openClient({ onApproval });
    say(question(0), question(0), question("0"));
    await settle();
    expect(onApproval).toHaveBeenCalledTimes(2);
    answer({ decision: "decline" });
    await settle();
    expect(heard()).toEqual([{ id: "0", result: { decision: "decline" } }]);
    say(question("0"));
    await settle();
    expect(onApproval).toHaveBeenCalledTimes(3);
  });

  it("is refused when another one has the same id, and so is the other", async () => {
    let answer: (answer: Answer) => void = () => {};
    const onApproval = vi.fn(() => new Promise<Answer>((resolve) => (answer = resolve)));
    const onClash = vi.fn();
    const { say, heard } = openClient({ onApproval, onClash });
    // Shown first, by a program that knows which id comes next; and then what Codex itself asks.
    say(question(5), question(5));
    await settle();
    expect(onClash).not.toHaveBeenCalled();
    say({ ...question(5), params: { ...question(5).params, command: "rm -rf ~" } });
    await settle();
    expect(onClash).toHaveBeenCalledExactlyOnceWith("n5");
    answer({ decision: "accept" });
    await settle();
    expect(heard()).toMatchObject([{ id: 5, error: { code: -32603 } }]);
    expect(onApproval).toHaveBeenCalledTimes(1);
  });

  it("is refused when a hundred others wait for the user", async () => {
    const onApproval = vi.fn(() => new Promise<Answer>(() => {}));
    const { say, heard } = openClient({ onApproval });
    say(...Array.from({ length: 101 }, (_, n) => question(n)));
    await settle();
    expect(onApproval).toHaveBeenCalledTimes(100);
    expect(heard()).toMatchObject([{ id: 100, error: { code: -32603 } }]);
  });
});

describe("the stream of notifications", () => {
  it("arrives in order, including unknown and malformed messages", async () => {
    const { told, say } = openClient();
    say(
      { method: "warning", params: { message: "1" } },
      { method: "new/thing", params: { a: 1 } },
      { method: "turn/started", params: "nothing" },
      { method: "warning", params: { message: "2" }, emittedAtMs: 1 },
    );
    await settle();
    expect(told.map((message) => message.method)).toEqual([
      "warning",
      "unknown",
      "invalid",
      "warning",
    ]);
  });

  it("continues after garbage", async () => {
    const { told, fromCodex, say, logged } = openClient();
    fromCodex.write('not json\n\n{"foo":1}\n[]\n42\n{"id":null}\n{"id":{},"method":"x"}\n');
    say({ method: "warning", params: { message: "still here" } });
    await settle();
    expect(told).toHaveLength(1);
    expect(logged).toHaveLength(6);
  });

  it("does not fill the log with garbage", async () => {
    const { fromCodex, logged } = openClient();
    fromCodex.write("garbage\n".repeat(5000));
    await settle();
    expect(logged).toHaveLength(100);
    expect(logged.at(-1)).toContain("further ones are not logged");
  });

  it("continues after a handler throws", async () => {
    const onNotification = vi.fn(() => {
      throw new Error("a bug");
    });
    const { say, client } = openClient({ onNotification });
    const request = client.request("model/list", {});
    say({ method: "warning", params: { message: "1" } });
    say({ id: 0, result: model("a") });
    expect(await request).toMatchObject({ ok: true });
    expect(onNotification).toHaveBeenCalledOnce();
  });

  it("is the same however the stream is split", () => {
    const message = fc.oneof(
      fc.record({
        method: fc.constant("warning"),
        params: fc.record({ message: fc.string({ unit: "binary" }) }),
      }),
      fc.record({ method: fc.string(), params: fc.jsonValue() }),
      fc.constant("no message"),
    );
    return fc.assert(
      fc.asyncProperty(
        fc.array(message),
        fc.array(fc.integer({ min: 1, max: 30 })),
        async (messages, sizes) => {
          const all = Buffer.from(
            messages.map((message) => `${JSON.stringify(message)}\n`).join(""),
          );
          const [whole, split] = [openClient(), openClient()];
          whole.fromCodex.write(all);
          for (let start = 0, n = 0; start < all.length; n++) {
            const size = sizes[n] ?? all.length;
            split.fromCodex.write(all.subarray(start, start + size));
            start += size;
          }
          await settle();
          expect(whole.told).toHaveLength(
            messages.filter((message) => typeof message === "object").length,
          );
          expect(split.told).toEqual(whole.told);
          for (const { client } of [whole, split]) client.close();
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("a message larger than any that Codex sends", () => {
  const deep = "[".repeat(5000) + "]".repeat(5000);
  const long = `[${"1,".repeat(200_000)}1]`;

  it.each([
    ["too deep", deep],
    ["too long", long],
  ])("fails the request that it answers if it is %s", async (_, value) => {
    const { client, fromCodex } = openClient();
    const request = client.request("model/list", {});
    fromCodex.write(`{"id":0,"result":{"data":${value}}}\n`);
    expect(await request).toMatchObject({
      ok: false,
      error: { kind: "refused", message: expect.stringContaining("larger than is allowed") },
    });
  });

  it("is ignored as a notification, and refused as a request", async () => {
    const { told, asked, heard, fromCodex } = openClient();
    const params = (value: string) => `{"threadId":"t","turnId":"u","itemId":"i","plan":${value}}`;
    fromCodex.write(`{"method":"turn/plan/updated","params":${params(long)}}\n`);
    fromCodex.write(
      `{"id":0,"method":"item/fileChange/requestApproval","params":${params(deep)}}\n`,
    );
    await settle();
    expect(told).toMatchObject([{ method: "invalid", name: "turn/plan/updated" }]);
    expect(asked).toEqual([]);
    expect(heard()).toMatchObject([{ id: 0, error: { code: -32602 } }]);
  });
});
