import { describe, expect, it, vi } from "vitest";
import { model, openClient, settle } from "../../test/codex/as-app-server.ts";

describe("a request", () => {
  it("carries ids that count from 0 and gets the answer with its own", async () => {
    const { client, say, heard } = openClient();
    const first = client.request("model/list", {});
    const second = client.request("model/list", { cursor: "next" });
    expect(heard()).toEqual([
      { id: 0, method: "model/list", params: {} },
      { id: 1, method: "model/list", params: { cursor: "next" } },
    ]);

    say({ id: 1, result: model("b") }, { id: 0, result: model("a") });

    expect(await first).toMatchObject({ ok: true, value: { data: [{ model: "a" }] } });
    expect(await second).toMatchObject({ ok: true, value: { data: [{ model: "b" }] } });
  });

  it("gets a refusal as an error that names the request", async () => {
    const { client, say } = openClient();
    const request = client.request("turn/interrupt", { threadId: "t", turnId: "u" });
    say({ id: 0, error: { code: -32600, message: "no active turn to interrupt" } });
    expect(await request).toEqual({
      ok: false,
      error: {
        kind: "refused",
        code: -32600,
        message: "Codex refused turn/interrupt: no active turn to interrupt",
      },
    });
  });

  it.each([
    ["no result", {}],
    ["a result of another form", { result: { data: "none" } }],
    ["no error and no result", { error: null }],
  ])("gets an error when the answer has %s", async (_, answer) => {
    const { client, say } = openClient();
    const request = client.request("model/list", {});
    say({ id: 0, ...answer });
    expect(await request).toMatchObject({
      ok: false,
      error: { kind: "invalid_answer", message: expect.stringContaining("model/list") },
    });
  });

  it.each([
    ["a word", "broken", "no reason given"],
    ["empty", {}, "no reason given"],
    ["an invalid code", { code: "x", message: "words" }, "words"],
    ["an invalid message", { code: 1, message: [] }, "no reason given"],
  ])("is also refused when the error is %s", async (_, error, words) => {
    const { client, say } = openClient();
    const request = client.request("model/list", {});
    say({ id: 0, error });
    expect(await request).toMatchObject({
      ok: false,
      error: { kind: "refused", message: `Codex refused model/list: ${words}` },
    });
  });

  it("quotes only the beginning of an endless reason", async () => {
    const { client, say } = openClient();
    const request = client.request("model/list", {});
    say({ id: 0, error: { code: 1, message: "x".repeat(100_000) } });
    const answer = await request;
    expect(answer.ok ? "" : answer.error.message.length).toBeLessThan(3000);
  });

  it("times out, and a late answer to it is ignored", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { client, say, logged } = openClient();
      const request = client.request("model/list", {}, { timeoutMs: 1500 });
      vi.advanceTimersByTime(1500);
      expect(await request).toEqual({
        ok: false,
        error: { kind: "timeout", message: "Codex did not answer model/list within 1.5 s." },
      });
      say({ id: 0, result: model("late") });
      await settle();
      expect(logged).toEqual(["warn: an answer that nobody waits for"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is cancelled when its signal aborts, and not sent if it has aborted already", async () => {
    const { client, heard } = openClient();
    const abort = new AbortController();
    const request = client.request("model/list", {}, { signal: abort.signal });
    abort.abort();
    const stopped = { ok: false, error: { kind: "aborted", message: "model/list was stopped." } };
    expect(await request).toEqual(stopped);
    heard();
    expect(await client.request("model/list", {}, { signal: abort.signal })).toEqual(stopped);
    expect(heard()).toEqual([]);
  });

  it("leaves no listener on a signal that outlives it", async () => {
    const { client, say } = openClient();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    const request = client.request("model/list", {}, { signal });
    say({ id: 0, result: model("a") });
    await request;
    expect(removed).toHaveBeenCalledOnce();
  });
});

describe("many requests", () => {
  it("are sent 32 at a time, the others in order", async () => {
    const { client, say, heard } = openClient();
    const all = Array.from({ length: 40 }, (_, n) =>
      client.request("model/list", { cursor: String(n) }),
    );
    expect(heard().map((message) => message.id)).toEqual(Array.from({ length: 32 }, (_, n) => n));

    say({ id: 7, result: model("7") }, { id: 3, result: model("3") });
    await all[3];
    expect(heard()).toMatchObject([
      { id: 32, params: { cursor: "32" } },
      { id: 33, params: { cursor: "33" } },
    ]);
    expect(await all[7]).toMatchObject({ value: model("7") });
    client.close();
    await Promise.all(all);
  });

  it("can be cancelled while they wait", async () => {
    const { client, say, heard } = openClient();
    const all = Array.from({ length: 32 }, () => client.request("model/list", {}));
    const abort = new AbortController();
    const waiting = client.request("model/list", {}, { signal: abort.signal });
    const last = client.request("model/list", { cursor: "last" });
    heard();

    abort.abort();
    expect(await waiting).toMatchObject({ error: { kind: "aborted" } });
    say({ id: 0, result: model("a") });
    await all[0];

    expect(heard()).toMatchObject([{ params: { cursor: "last" } }]);
    client.close();
    expect(await last).toMatchObject({ error: { kind: "closed" } });
    await Promise.all(all);
  });
});

describe("the end of a connection", () => {
  it.each([
    ["a close", ({ client }: ReturnType<typeof openClient>) => client.close()],
    ["the stream's end", ({ fromCodex }: ReturnType<typeof openClient>) => fromCodex.end()],
    [
      "the stream's error",
      ({ fromCodex }: ReturnType<typeof openClient>) => fromCodex.destroy(new Error("x")),
    ],
    [
      "an error of writing",
      ({ toCodex }: ReturnType<typeof openClient>) => toCodex.destroy(new Error("x")),
    ],
  ])("settles all waiting requests, by %s", async (_, end) => {
    const opened = openClient();
    const all = Array.from({ length: 40 }, () => opened.client.request("model/list", {}));
    end(opened);
    await opened.client.closed;
    for (const request of all) expect(await request).toMatchObject({ error: { kind: "closed" } });
    expect(await opened.client.request("model/list", {})).toMatchObject({
      error: { kind: "closed" },
    });
  });

  it("ends Codex's input, once", async () => {
    const { client, toCodex } = openClient();
    toCodex.resume();
    const ended = vi.spyOn(toCodex, "end");
    client.close();
    client.close();
    await client.closed;
    expect(ended).toHaveBeenCalledOnce();
  });

  it("is followed by no notification", async () => {
    const told: string[] = [];
    const opened = openClient({
      onNotification: (notification) => {
        told.push(notification.method);
        opened.client.close();
      },
    });
    const warning = { method: "warning", params: { message: "once" } };
    opened.say(warning, warning);
    opened.say(warning);
    await settle();
    expect(told).toEqual(["warning"]);
  });

  it("comes when the app-server sends requests without reading", async () => {
    const { client, toCodex, say } = openClient();
    // A terabyte that waits; filling that much for real would take the memory.
    vi.spyOn(toCodex, "writableLength", "get").mockReturnValue(1024 ** 4);
    say({ id: 0, method: "attestation/generate", params: {} });
    await client.closed;
  });
});

describe("the handshake", () => {
  it("names the client, then says that it is initialized", async () => {
    const { client, say, heard } = openClient();
    const hello = client.initialize({ name: "n", title: "t", version: "1" });
    expect(heard()).toEqual([
      {
        id: 0,
        method: "initialize",
        params: {
          clientInfo: { name: "n", title: "t", version: "1" },
          capabilities: { experimentalApi: true, requestAttestation: false },
        },
      },
    ]);
    say({ id: 0, result: { userAgent: "u", codexHome: "/home" } });
    expect(await hello).toMatchObject({ ok: true });
    expect(heard()).toEqual([{ method: "initialized" }]);
  });

  it("does not send `initialized` when it was refused", async () => {
    const { client, say, heard } = openClient();
    const hello = client.initialize({ name: "n", title: "t", version: "1" });
    heard();
    say({ id: 0, error: { code: -32600, message: "Already initialized" } });
    expect(await hello).toMatchObject({ ok: false });
    expect(heard()).toEqual([]);
  });
});
