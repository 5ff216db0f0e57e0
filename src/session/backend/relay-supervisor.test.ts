import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { RelayLink } from "../../egress/egress.ts";
import { silentLog } from "../../log.ts";
import { err, ok } from "../../result.ts";
import { portsBeside, type RelayPorts, superviseRelay } from "./relay-supervisor.ts";

/** A relay whose links the test ends. */
function setUp(
  answer: (n: number) => { model: number } | undefined = () => ({ model: 1 }),
  ports?: RelayPorts,
) {
  const started: (string | undefined)[] = [];
  const ends: ((reason: string) => void)[] = [];
  const kept = superviseRelay({
    sandbox: {
      keeperFifo: "/k",
      exec: async ({ env }) => {
        started.push(env?.["CODEX_CHAT_PORTS"]);
        return ok({
          stdin: new PassThrough(),
          stdout: new PassThrough(),
          stderr: new PassThrough(),
          exited: new Promise<never>(() => {}),
          kill: () => {},
        });
      },
    },
    egress: {
      attach: async () => {
        const said = answer(started.length);
        if (said === undefined)
          return err({ kind: "relay_failed", message: "It did not start.", fix: "" });
        let end: (reason: string) => void = () => {};
        const closed = new Promise<string>((resolve) => {
          end = resolve;
        });
        ends.push(end);
        const link: RelayLink = {
          modelPort: said.model,
          proxyPort: 2,
          closed,
          close: () => end("closed"),
        };
        return ok(link);
      },
    },
    ports,
    signal: new AbortController().signal,
    log: silentLog,
    onProcess: () => {},
  });
  return { kept, started, ends };
}

describe("a relay that is given ports", () => {
  it("is started on them, and fails on others", async () => {
    const ports = { modelPort: 1, proxyPort: 2 };
    const { kept, started } = setUp(undefined, ports);
    expect(await kept).toMatchObject({ ok: true, value: ports });
    expect(started).toEqual(["1,2"]);
    const other = setUp(() => ({ model: 3 }), ports);
    expect(await other.kept).toMatchObject({ ok: false, error: { kind: "relay" } });
  });

  it("leaves the ports of the user's services to them", () => {
    const { modelPort, proxyPort } = portsBeside([]);
    const local = [proxyPort, modelPort].map((port) => ({
      host: "127.0.0.1",
      port,
      isAddress: true,
    }));
    const others = portsBeside(local);
    expect(new Set([modelPort, proxyPort, others.modelPort, others.proxyPort]).size).toBe(4);
  });
});

describe("a relay that ends", () => {
  it("is restarted on the same ports", async () => {
    const { kept, started, ends } = setUp();
    const relay = await kept;
    if (!relay.ok) throw new Error(relay.error.message);
    ends[0]?.("killed");
    await expect.poll(() => started).toEqual([undefined, "1,2"]);
    await expect.poll(() => ends.length).toBe(2);
    relay.value.close();
    expect(await relay.value.ended).toBe("closed");
    expect(started).toHaveLength(2);
  });

  it("is given up if it keeps ending", async () => {
    const { kept, started, ends } = setUp();
    const relay = await kept;
    if (!relay.ok) throw new Error(relay.error.message);
    for (let n = 0; n < 6; n++) {
      await expect.poll(() => ends.length).toBe(n + 1);
      ends[n]?.("killed");
    }
    expect(await relay.value.ended).toContain("5 times");
    expect(started).toHaveLength(6);
  });

  it.each([
    ["no longer starts", () => undefined, "It did not start."],
    ["returns on other ports", () => ({ model: 9 }), "other ports"],
  ])("is given up when it %s", async (_what, later, message) => {
    const { kept, ends } = setUp((n) => (n === 1 ? { model: 1 } : later()));
    const relay = await kept;
    if (!relay.ok) throw new Error(relay.error.message);
    ends[0]?.("killed");
    expect(await relay.value.ended).toContain(message);
  });
});
