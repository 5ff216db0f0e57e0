import { describe, expect, it } from "vitest";
import type { Answer, Approval, Field } from "../../codex/server-requests/server-request.ts";
import type { LiveDocument } from "../document/live-document.ts";
import { Approvals, approvalTitle } from "./approvals.ts";

const field = (given: Partial<Field>): Field => ({
  name: "q",
  label: "Q",
  type: "text",
  required: true,
  secret: false,
  options: [],
  other: false,
  ...given,
});

/** Questions whose document only remembers what it was told. */
function asking(fields: readonly Field[], asked?: Approval) {
  const told: unknown[] = [];
  const document: Pick<LiveDocument, "askApproval" | "approvalAnswered" | "whyNotAsked"> = {
    whyNotAsked: () => undefined,
    askApproval: async (approval) => {
      told.push(approval);
    },
    approvalAnswered: (...answer) => {
      told.push(answer);
    },
  };
  const approvals = new Approvals(
    document as LiveDocument,
    (asked) => told.push(asked),
    (pending) => {
      if (pending === 0) told.push("nothing waits");
    },
  );
  const approval = asked ?? { kind: "questions", id: "n1", title: "a question", fields };
  const answered = approvals.ask(approval);
  const { id } = told[0] as Approval;
  return { approvals, told, answered, id, again: () => approvals.ask(approval) };
}

async function said(fields: readonly Field[], answers: Answer["answers"]): Promise<unknown> {
  const { approvals, told, answered, id } = asking(fields);
  approvals.answer(id, { decision: "accept", answers }, undefined);
  expect(await answered).toEqual({ decision: "accept", answers, by: "user" });
  expect(told.at(-1)).toBe("nothing waits");
  return (told.at(-2) as [string, string, { said?: string }])[2].said;
}

describe("an answer in the document", () => {
  const options = [
    { value: "a", label: "First", description: "" },
    { value: "b", label: "Second", description: "" },
  ];

  it("is written in the words that were offered", async () => {
    expect(await said([field({})], { q: "yes, please" })).toBe("yes, please");
    expect(await said([field({ type: "choice", options })], { q: "b" })).toBe("Second");
    expect(await said([field({ type: "choice", options })], { q: "c" })).toBe("c");
    expect(await said([field({ type: "choices", options })], { q: ["a", "b"] })).toBe(
      "First, Second",
    );
    expect(await said([field({ type: "choices", options })], { q: [] })).toBe("none");
    expect(await said([field({ type: "boolean" })], { q: false })).toBe("no");
    expect(await said([field({ type: "integer" })], { q: 0 })).toBe("0");
  });

  it("names the fields if there are several, and leaves out unanswered ones", async () => {
    const fields = [field({ name: "a", label: "A" }), field({ name: "b", label: "B" })];
    expect(await said(fields, { a: "1", b: "2" })).toBe("A: 1; B: 2");
    expect(await said(fields, { b: "2" })).toBe("B: 2");
    expect(await said(fields, {})).toBe("nothing");
  });

  it("never contains a secret, and neither does any other event for the document", async () => {
    const fields = [
      field({ name: "token", label: "Token", secret: true }),
      field({ name: "b", label: "B" }),
    ];
    const { approvals, told, id } = asking(fields);
    approvals.answer(id, { decision: "accept", answers: { token: "s3cret", b: "2" } }, undefined);
    expect(JSON.stringify(told)).not.toContain("s3cret");
    expect(JSON.stringify(told)).toContain("Token: (not shown); B: 2");
  });
});

describe("a question that nobody answers", () => {
  it("is cancelled when its turn ends, once", async () => {
    const { approvals, answered, told, id } = asking([field({})]);
    approvals.cancelAll("the turn ended");
    expect(await answered).toEqual({ decision: "cancel", by: "nobody", why: "the turn ended" });
    expect(told.at(-1)).toMatchObject([id, "cancel", { unanswered: "the turn ended" }]);
    expect(told).not.toContain("nothing waits");
    expect(approvals.size).toBe(0);
    expect(approvals.answer(id, { decision: "accept" }, undefined)).toBeUndefined();
  });

  it("is not answered by an answer to an earlier one with the same id", async () => {
    const { approvals, told, id, again } = asking([field({})]);
    approvals.cancelAll("Codex was started anew");
    const second = again();
    expect(approvals.answer(id, { decision: "accept" }, undefined)).toBeUndefined();
    expect(approvals.answer("n1", { decision: "accept" }, undefined)).toBeUndefined();
    const shown = told
      .filter((event) => (event as Approval).kind === "questions")
      .at(-1) as Approval;
    approvals.answer(shown.id, { decision: "decline" }, undefined);
    expect(await second).toMatchObject({ decision: "decline", by: "user" });
  });

  it("is cancelled when Codex no longer waits for it", async () => {
    const { approvals, answered, told } = asking([field({})]);
    approvals.resolved(2);
    // A number and a word of the same digits are two names.
    approvals.resolved("1");
    expect(approvals.size).toBe(1);
    approvals.resolved(1);
    expect(await answered).toEqual({
      decision: "cancel",
      by: "nobody",
      why: "Codex no longer waited for an answer",
    });
    expect(told.at(-1)).toBe("nothing waits");
    approvals.resolved(1);
    expect(told.filter((event) => event === "nothing waits")).toHaveLength(1);
  });
});

describe("the title of a question", () => {
  it("says in one line what Codex asks", () => {
    const command = { kind: "command", id: "c", itemId: "i" } as const;
    const title = (more: object) => approvalTitle({ ...command, ...more } as Approval);
    expect(title({ command: "/bin/bash -lc 'ls -la'" })).toBe("Codex asks to run: ls -la");
    expect(title({ command: "make" })).toBe("Codex asks to run: make");
    expect(title({})).toBe("Codex asks to run: a command");
    expect(title({ network: { host: "a.org", protocol: "https" } })).toBe(
      "Codex asks to reach a.org",
    );
  });
});

describe("a patch that the user answers with one of their own", () => {
  const patch = { kind: "patch", id: "n1", itemId: "i1" } as const;
  const accept = { decision: "accept" } as const;

  it("is declined once, and nobody else can answer its question meanwhile", async () => {
    const { approvals, told, answered, id } = asking([], patch);
    expect(approvals.patch(id)?.itemId).toBe("i1");
    const held = approvals.hold(id);
    expect(approvals.hold(id)).toBeUndefined();
    expect(approvals.answer(id, accept, undefined)).toBeUndefined();
    held?.decline("as you changed it");
    expect(await answered).toEqual({ decision: "decline", by: "user" });
    expect(told.slice(-2)).toMatchObject([
      [id, "decline", { reason: "as you changed it" }],
      "nothing waits",
    ]);
    held?.letGo();
    expect(approvals.patch(id)).toBeUndefined();
  });

  it("has a question that can be answered again if the edited patch is given up", async () => {
    const { approvals, answered, id } = asking([], patch);
    approvals.hold(id)?.letGo();
    expect(approvals.answer(id, accept, undefined)).toMatchObject({ kind: "patch" });
    expect(await answered).toMatchObject(accept);
  });

  it("is still withdrawn with its turn", async () => {
    const { approvals, told, answered, id } = asking([], patch);
    const held = approvals.hold(id);
    approvals.cancelAll("the turn is over");
    expect(await answered).toMatchObject({ decision: "cancel", by: "nobody" });
    const before = told.length;
    held?.decline("as you changed it");
    held?.letGo();
    expect(told).toHaveLength(before);
  });

  it("is not confused with a question of another kind", () => {
    const { approvals, id } = asking([field({})]);
    expect(approvals.hold(id)).toBeUndefined();
    expect(approvals.patch(id)).toBeUndefined();
  });
});
