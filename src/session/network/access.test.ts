import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { NetworkQuestion, UserDecision as Said } from "../../chat/event.ts";
import type { Target } from "../../egress/network/target.ts";
import { silentLog } from "../../log.ts";
import { answeredByNobody } from "../answer.ts";
import { NetworkAccess } from "./access.ts";

type Asked = NetworkQuestion & {
  readonly thread: string;
  readonly answer: (said: Said, nobody?: string) => void;
};

function setUp(options: { ask?: boolean; holdMs?: number; dir?: string } = {}) {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "codex-chat-network-"));
  if (options.dir === undefined) onTestFinished(() => rmSync(dir, { recursive: true }));
  const asked: Asked[] = [];
  const withdrawn: string[] = [];
  const path = join(dir, "network.json");
  const access = new NetworkAccess({
    path,
    settings: () => ({ allow: ["npm"], ask: options.ask ?? true }),
    ask: (thread, question) =>
      new Promise((resolve) => {
        const answer: Asked["answer"] = (decision, why) =>
          resolve(why === undefined ? { decision, by: "user" } : answeredByNobody(decision, why));
        asked.push({ ...question, thread, answer });
      }),
    withdraw: (_thread, id, why) => {
      withdrawn.push(id);
      asked.find((request) => request.id === id)?.answer("decline", why);
    },
    log: silentLog,
    ...(options.holdMs === undefined ? {} : { holdMs: options.holdMs }),
  });
  const begin = (threadId = "t1") =>
    access.aroundTurn.before({ threadId, path: "/c.md" }, AbortSignal.timeout(60_000));
  const end = (threadId = "t1") => access.aroundTurn.after({ threadId, path: "/c.md" });
  const decide = (host: string, port = 443, signal = new AbortController().signal) =>
    access.decide({ host, port, isAddress: false } satisfies Target, signal);
  /** The n-th question, once it is asked. */
  const question = async (n = 0): Promise<Asked> => {
    await expect.poll(() => asked[n]).toBeDefined();
    return asked[n] as Asked;
  };
  return { access, asked, withdrawn, path, dir, begin, end, decide, question };
}

describe("a host that the configuration does not name", () => {
  it("is asked about in a turn that is about to begin, if a program is started for it", async () => {
    const { access, decide, question, begin } = setUp();
    access.expectTurn();
    const verdict = decide("a.org");
    await begin();
    (await question()).answer("accept");
    expect(await verdict).toMatchObject({ allowed: true });
  });

  it("is not asked about if the program left before the turn started", async () => {
    const { access, decide, asked, begin } = setUp();
    access.expectTurn();
    const gone = new AbortController();
    const verdict = decide("a.org", 443, gone.signal);
    gone.abort();
    expect(await verdict).toMatchObject({ allowed: false });
    await begin();
    expect(asked).toEqual([]);
  });

  it("is refused without asking while no turn runs", async () => {
    const { decide, asked } = setUp();
    expect(await decide("a.org")).toMatchObject({
      allowed: false,
      why: expect.stringMatching(/no turn/),
    });
    expect(asked).toEqual([]);
  });

  it("is refused at once if network.ask is off", async () => {
    const { decide, begin, asked } = setUp({ ask: false });
    await begin();
    expect(await decide("a.org")).toMatchObject({
      allowed: false,
      by: "config",
      why: expect.stringMatching(/network\.ask/),
    });
    expect(asked).toEqual([]);
  });

  it("is asked about once for all waiting requests, which share the answer", async () => {
    const { decide, begin, asked, question } = setUp();
    await begin();
    const waiting = [decide("a.org"), decide("a.org", 80), decide("a.org")];
    const { answer, target, entry } = await question();
    expect({ target, entry }).toEqual({ target: "a.org:443", entry: "a.org" });
    answer("accept");
    for (const verdict of await Promise.all(waiting))
      expect(verdict).toMatchObject({ allowed: true, by: "turn" });
    expect(asked).toHaveLength(1);
  });

  it("is asked about again for a port other than the web's", async () => {
    const { decide, begin, question } = setUp();
    await begin();
    const web = decide("a.org");
    (await question()).answer("accept");
    await web;
    void decide("a.org", 8443);
    expect(await question(1)).toMatchObject({ entry: "a.org:8443" });
  });
});

describe("the user's answer", () => {
  it("accept holds for the turn, whose end closes its connections", async () => {
    const { decide, begin, end, question } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept");
    const verdict = await first;
    if (!verdict.allowed) throw new Error("refused");
    expect(await decide("a.org")).toMatchObject({ allowed: true });
    await end();
    expect(verdict.ends.aborted).toBe(true);
    await begin();
    void decide("a.org");
    expect(await question(1)).toMatchObject({ entry: "a.org" });
  });

  it("accept for the conversation holds while one of its turns runs, and not in another conversation", async () => {
    const { access, decide, begin, end, question, asked } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept_session");
    expect(await first).toMatchObject({ allowed: true, by: "conversation" });
    await end();
    expect(await decide("a.org")).toMatchObject({ allowed: false });
    await begin("t2");
    void decide("a.org");
    expect(await question(1)).toMatchObject({ thread: "t2" });
    await begin();
    expect(await decide("a.org")).toMatchObject({ allowed: true, by: "conversation" });
    expect(asked).toHaveLength(2);
    expect(access.grants.entries("conversation", "t1")).toEqual(["a.org"]);
  });

  it("accept for the conversation closes its connections after each turn, and holds again in the next", async () => {
    const { decide, begin, end, question } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept_session");
    const [one, again] = [await first, await decide("a.org")];
    await begin("t2");
    if (!one.allowed || !again.allowed) throw new Error("it was allowed");
    expect([one.ends.aborted, again.ends.aborted]).toEqual([false, false]);
    await end();
    expect([one.ends.aborted, again.ends.aborted]).toEqual([true, true]);
    await begin();
    expect(await decide("a.org")).toMatchObject({ allowed: true, ends: { aborted: false } });
  });

  it("accept for the conversation is not inherited by a new one with the same thread id", async () => {
    const { access, decide, begin, end, question, asked } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept_session");
    const one = await first;
    if (!one.allowed) throw new Error("it was allowed");
    await end();
    await access.grants.begin("t1");
    expect(one.ends.aborted).toBe(true);
    await begin();
    void decide("a.org");
    await question(1);
    expect(asked).toHaveLength(2);
    expect(access.grants.entries("conversation", "t1")).toEqual([]);
  });

  it("accept for the project is saved in a private file, and holds without a turn", async () => {
    const { decide, begin, end, question, path, dir, access } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept_project");
    expect(await first).toMatchObject({ allowed: true, by: "project" });
    await end();
    await expect.poll(() => readFileSync(path, "utf8")).toContain("a.org");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const later = setUp({ dir });
    expect(await later.decide("a.org")).toMatchObject({ allowed: true, by: "project" });
    expect(await later.access.grants.forget("a.org", "")).toBe(true);
    expect(await later.decide("a.org")).toMatchObject({ allowed: false });
    expect(await access.grants.forget("b.org", "")).toBe(false);
  });

  it("in one Neovim holds in another on the same project, and so does revoking it", async () => {
    const one = setUp();
    const other = setUp({ dir: one.dir });
    await one.begin();
    await other.begin();
    const first = one.decide("a.org");
    (await one.question()).answer("accept_project");
    await first;
    await one.access.grants.load();
    const verdict = await other.decide("a.org");
    if (!verdict.allowed) throw new Error("refused");
    await one.access.grants.forget("a.org", "t1");
    void other.decide("a.org");
    expect(await other.question()).toMatchObject({ entry: "a.org" });
    expect(verdict.ends.aborted).toBe(true);
  });

  it("in another Neovim counts for each of several simultaneous requests", async () => {
    const one = setUp();
    const other = setUp({ dir: one.dir });
    await one.begin();
    const first = one.decide("a.org");
    (await one.question()).answer("accept_project");
    await first;
    await one.access.grants.load();
    const verdicts = await Promise.all([1, 2, 3].map(() => other.decide("a.org")));
    expect(verdicts.map((verdict) => verdict.allowed)).toEqual([true, true, true]);
    await one.access.grants.forget("a.org", "t1");
    const later = await Promise.all([1, 2, 3].map(() => other.decide("a.org")));
    expect(later.map((verdict) => verdict.allowed)).toEqual([false, false, false]);
  });

  it("decline holds for the turn, in which the user is not asked again", async () => {
    const { decide, begin, asked, question } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("decline");
    expect(await first).toMatchObject({ allowed: false, by: "user" });
    expect(await decide("a.org")).toMatchObject({ allowed: false, by: "user" });
    expect(asked).toHaveLength(1);
  });

  it("can be revoked, which closes the connections", async () => {
    const { access, decide, begin, question } = setUp();
    await begin();
    const first = decide("a.org");
    (await question()).answer("accept_project");
    const verdict = await first;
    if (!verdict.allowed) throw new Error("refused");
    await access.grants.forget("a.org", "t1");
    expect(verdict.ends.aborted).toBe(true);
  });

  it.each([
    ["is not JSON", "{"],
    ["allows everything", '{"project": ["*"], "conversations": []}'],
    ["has another shape", '{"project": {"a.org": true}}'],
  ])("is ignored if the file of saved permissions %s", async (_name, text) => {
    const { decide, begin, path, question } = setUp();
    writeFileSync(path, text);
    await begin();
    void decide("a.org");
    await question();
  });
});

describe("a flood", () => {
  it("of names causes at most ten questions per turn", async () => {
    const { decide, begin, asked, end } = setUp();
    await begin();
    const waiting = Array.from({ length: 50 }, (_, n) => decide(`h${n}.org`));
    await expect.poll(() => asked.length).toBe(10);
    for (const { answer } of asked) answer("decline");
    const verdicts = await Promise.all(waiting);
    expect(
      verdicts.filter((verdict) => !verdict.allowed && /10 hosts/.test(verdict.why)),
    ).toHaveLength(40);
    await end();
  });

  it("of requests for one host keeps only a limited number waiting", async () => {
    const { decide, begin, question } = setUp();
    await begin();
    let settled = 0;
    const waiting = Array.from({ length: 100 }, () => decide("a.org").finally(() => settled++));
    const asked = await question();
    await expect.poll(() => settled).toBe(36);
    asked.answer("accept");
    const verdicts = await Promise.all(waiting);
    expect(verdicts.filter((verdict) => verdict.allowed)).toHaveLength(64);
  });
});

describe("a question", () => {
  it("that nobody answers is withdrawn after a while, and not asked again in the turn", async () => {
    const { decide, begin, withdrawn, asked } = setUp({ holdMs: 20 });
    await begin();
    expect(await decide("a.org")).toMatchObject({
      allowed: false,
      why: expect.stringMatching(/nobody answered/),
    });
    expect(withdrawn).toEqual(["network:1"]);
    // Refused again, still with "nobody" as the decider.
    expect(await decide("a.org")).toMatchObject({ allowed: false, by: "nobody" });
    expect(asked).toHaveLength(1);
  });

  it("outlives a client that gave up, so that its answer serves the next attempt", async () => {
    const { decide, begin, question, asked } = setUp();
    await begin();
    const client = new AbortController();
    const first = decide("a.org", 443, client.signal);
    const { answer } = await question();
    client.abort();
    expect(await first).toMatchObject({
      allowed: false,
      by: "nobody",
      why: expect.stringMatching(/went away/),
    });
    answer("accept");
    await expect.poll(() => decide("a.org")).toMatchObject({ allowed: true, by: "turn" });
    expect(asked).toHaveLength(1);
  });

  it("is withdrawn at the end of its turn", async () => {
    const { decide, begin, end, question } = setUp();
    await begin();
    const waiting = decide("a.org");
    await question();
    await end();
    expect(await waiting).toMatchObject({ allowed: false, by: "nobody" });
  });

  it("that the user allowed after the end of its turn does not count as refused by the user", async () => {
    const { decide, begin, end, question } = setUp();
    await begin();
    await begin("t2");
    const waiting = decide("a.org");
    const { answer } = await question();
    await end("t2");
    answer("accept");
    expect(await waiting).toMatchObject({ allowed: false, by: "policy" });
  });

  it("that is cancelled with its turn does not count as refused by the user", async () => {
    const { decide, begin, question } = setUp();
    await begin();
    const waiting = decide("a.org");
    (await question()).answer("cancel", "the turn was stopped");
    const verdict = { allowed: false, by: "nobody", why: "the turn was stopped" };
    expect(await waiting).toEqual(verdict);
    expect(await decide("a.org")).toEqual(verdict);
  });
});
