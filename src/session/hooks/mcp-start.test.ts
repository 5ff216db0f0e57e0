import { describe, expect, it } from "vitest";
import { Settings } from "../settings/settings.ts";
import { McpStart } from "./mcp-start.ts";

const place = { threadId: "t1", path: "/c.md" };

/** A project with the servers `a` and `b`, and one that is switched off. */
function setUp(patienceMs = 60_000) {
  const states: string[] = [];
  let question: Promise<void> | undefined;
  const settings = Settings.parse({
    state_dir: "/nowhere",
    mcp_servers: {
      a: { command: "a" },
      b: { command: "b" },
      off: { command: "c", enabled: false },
    },
  });
  const conversation = (threadId: string) => ({
    threadId,
    showProgress: (detail: string) => void states.push(`${threadId} ${detail}`),
  });
  const start = new McpStart(
    {
      settings,
      network: { asking: () => question },
      conversations: [conversation("t1"), conversation("t2")],
    },
    patienceMs,
  );
  const tell = (name: string, status: string, threadId = "t1") =>
    start.onNotification({
      method: "mcpServer/startupStatus/updated",
      params: { threadId, name, status, error: null },
    });
  let isOver = false;
  const begin = (signal = new AbortController().signal) => {
    isOver = false;
    return start.before(place, signal).finally(() => {
      isOver = true;
    });
  };
  /** Asks the user; gives what answers. */
  const ask = () => {
    let answer = () => {};
    question = new Promise((resolve) => {
      answer = () => {
        question = undefined;
        resolve();
      };
    });
    return () => answer();
  };
  return { start, states, tell, begin, ask, isOver: () => isOver };
}

/** Until all has run that can without being told more. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a thread's first turn", () => {
  it("waits until all servers have started or failed, and names the missing ones", async () => {
    const { states, tell, begin, isOver } = setUp();
    tell("a", "starting");
    const begun = begin();
    tell("b", "starting");
    tell("a", "ready");
    await settled();
    expect(isOver()).toBe(false);
    expect(states.at(-1)).toBe("t1 Waiting for MCP servers: b");
    tell("b", "failed");
    expect(await begun).toEqual({ ok: true, value: undefined });
    expect(states.join()).not.toContain("t2");
  });

  it("does not wait for a server that is not configured, is off, or belongs to another thread", async () => {
    const { tell, begin } = setUp();
    tell("a", "ready");
    for (const name of ["forged", "off"]) tell(name, "starting");
    tell("a", "starting", "t2");
    expect(await begin()).toMatchObject({ ok: true });
  });

  it("waits only for a while, and later turns do not wait again", async () => {
    const { states, tell, begin } = setUp(20);
    tell("a", "starting");
    expect(await begin()).toMatchObject({ ok: true });
    const said = states.length;
    expect(said).toBeGreaterThan(0);
    expect(await begin()).toMatchObject({ ok: true });
    expect(states).toHaveLength(said);
  });

  it("waits for as long as the user is asked about a host", async () => {
    const { tell, begin, ask, isOver } = setUp(1);
    const answer = ask();
    tell("a", "starting");
    const begun = begin();
    await settled();
    await settled();
    expect(isOver()).toBe(false);
    answer();
    expect(await begun).toMatchObject({ ok: true });
  });

  it("does not begin if it is stopped meanwhile", async () => {
    const { tell, begin } = setUp();
    tell("a", "starting");
    const stop = new AbortController();
    const begun = begin(stop.signal);
    stop.abort();
    expect(await begun).toMatchObject({ ok: false, error: { kind: "stopped" } });
  });

  it("does not wait for servers that have ended with the sandbox", async () => {
    const { start, tell, begin } = setUp();
    tell("a", "starting");
    const begun = begin();
    start.forget();
    expect(await begun).toMatchObject({ ok: true });
  });
});
