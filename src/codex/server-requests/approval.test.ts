import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decisionResult, parseRequest, REQUEST_METHODS } from "./approval.ts";
import type { Decision } from "./server-request.ts";

const command = (params: unknown, id: string | number = 0) =>
  parseRequest(id, "item/commandExecution/requestApproval", params);
const patch = (params: unknown, id: string | number = 0) =>
  parseRequest(id, "item/fileChange/requestApproval", params);
const inTurn = { threadId: "t", turnId: "u", itemId: "i", startedAtMs: 1 };

describe("a question about a command", () => {
  it("has the fields that Codex sends", () => {
    const params = {
      ...inTurn,
      kind: "command",
      approvalId: null,
      environmentId: "local",
      command: "rm -rf build",
      cwd: "/p",
      reason: "to build anew",
      networkApprovalContext: { host: "example.org", protocol: "https", port: 443 },
      availableDecisions: ["accept", "cancel"],
      somethingNew: [1],
    };
    expect(command(params)).toMatchObject({
      type: "approval",
      threadId: "t",
      approval: {
        kind: "command",
        id: "n0",
        itemId: "i",
        command: "rm -rf build",
        cwd: "/p",
        reason: "to build anew",
        network: { host: "example.org", protocol: "https" },
      },
    });
  });

  it("is asked even if all optional fields are absent or malformed", () => {
    const bare = { kind: "command", id: "n0", itemId: "i" };
    expect(command(inTurn)).toMatchObject({ approval: bare });
    const odd = { command: ["ls"], cwd: 1, reason: {}, networkApprovalContext: "x", kind: null };
    expect(command({ ...inTurn, ...odd })).toMatchObject({ approval: bare });
  });

  it("has its own id if one command asks several times", () => {
    const asked = command({ ...inTurn, approvalId: "second", command: "rm x" });
    expect(asked).toMatchObject({ approval: { itemId: "second", command: "rm x" } });
  });

  it.each(["writeStdin", "humanCommand", "later"])(
    "is declined without asking if its kind is %s",
    (kind) => {
      expect(command({ ...inTurn, kind, command: "bash" })).toEqual({
        type: "answered",
        threadId: "t",
        result: { decision: "decline" },
        asked: { kind, about: "bash" },
      });
    },
  );

  it.each([undefined, null, [], "x", {}, { threadId: "t" }, { ...inTurn, threadId: 1 }])(
    "is refused when it is %j",
    (params) => {
      expect(command(params)).toMatchObject({ type: "refused", code: -32602 });
      expect(patch(params)).toMatchObject({ type: "refused", code: -32602 });
    },
  );
});

describe("a question about a patch", () => {
  it("has the fields that Codex sends", () => {
    expect(patch({ ...inTurn, reason: "because", grantRoot: "/other" }, "0")).toMatchObject({
      type: "approval",
      threadId: "t",
      approval: { kind: "patch", id: "s0", itemId: "i", reason: "because", grantRoot: "/other" },
    });
    expect(patch({ ...inTurn, reason: null, grantRoot: null })).toMatchObject({
      approval: { kind: "patch", id: "n0", itemId: "i" },
    });
  });
});

describe("an answer", () => {
  it.each<[Decision, string]>([
    ["accept", "accept"],
    ["accept_session", "acceptForSession"],
    ["decline", "decline"],
    ["cancel", "cancel"],
  ])("%s is %s to Codex", (decision, word) => {
    expect(decisionResult(decision)).toEqual({ decision: word });
  });

  it("grants no permissions, and says so", () => {
    const ask = (params: unknown) => parseRequest(0, "item/permissions/requestApproval", params);
    expect(ask({ ...inTurn, reason: "to fetch", permissions: { network: {} } })).toMatchObject({
      type: "answered",
      threadId: "t",
      result: { permissions: {} },
      asked: { kind: "permissions", about: "to fetch" },
      note: expect.stringContaining("more permissions (to fetch). None can be granted"),
    });
    expect(ask({})).toMatchObject({ type: "refused", code: -32602 });
  });

  it.each([
    "account/chatgptAuthTokens/refresh",
    "attestation/generate",
    "currentTime/read",
    "toString",
    "__proto__",
    "",
  ])("is a refusal to %j", (method) => {
    expect(parseRequest(0, method, {})).toMatchObject({ type: "refused", code: -32601 });
  });

  it("exists for every request", () => {
    const method = fc.oneof(fc.string(), fc.constantFrom(...REQUEST_METHODS));
    fc.assert(
      fc.property(method, fc.jsonValue(), (name, params) => {
        const { type } = parseRequest(0, name, params);
        expect(["approval", "answered", "refused"]).toContain(type);
      }),
    );
  });
});
