import { describe, expect, it } from "vitest";
import { codexRequest as request } from "../../../test/support/egress.ts";
import { checkResponsesRequest } from "./responses-request.ts";

describe("the model of a call", () => {
  it("must be one that the user has chosen", () => {
    const models = new Set(["gpt-5.5", "mine"]);
    expect(checkResponsesRequest(request(), models).ok).toBe(true);
    expect(checkResponsesRequest(request({ model: "gpt-6-astra" }), models)).toEqual({
      ok: false,
      error:
        "codex-chat: this call asks for the model gpt-6-astra, which is not chosen here (gpt-5.5, mine). To allow it: :CodexChat model gpt-6-astra.",
    });
    // The control: without a list, any model is allowed.
    expect(checkResponsesRequest(request({ model: "gpt-6-astra" })).ok).toBe(true);
    expect(checkResponsesRequest(request({ model: "gpt-5.5" }), new Set()).ok).toBe(false);
  });
});

describe("the effort of a call", () => {
  const check = (changes: object, ...efforts: string[]) =>
    checkResponsesRequest(request(changes), undefined, new Set(efforts));

  it.each([
    ["the one chosen", { reasoning: { effort: "high" } }, ["high"]],
    ["one of several", { reasoning: { effort: "medium" } }, ["low", "high"]],
    ["a cheaper one", { reasoning: { effort: "low" } }, ["high"]],
    ["absent", { reasoning: null }, ["low"]],
    ["unknown here", { reasoning: { effort: "later" } }, ["later"]],
  ])("is allowed if it is %s", (_, changes, efforts) => {
    expect(check(changes, ...efforts)).toMatchObject({ ok: true });
  });

  it.each([
    ["a more expensive one", { reasoning: { effort: "xhigh" } }],
    ["unknown here", { reasoning: { effort: "later" } }],
    [
      "a more expensive one in the input",
      { input: [{ type: "configuration_update", reasoning: { effort: "xhigh" } }] },
    ],
  ])("is refused if it is %s", (_, changes) => {
    const dear = check({ reasoning: { effort: "low" }, ...changes }, "medium", "high");
    expect(dear).toMatchObject({
      ok: false,
      error: expect.stringContaining("above the one chosen here (medium, high)"),
    });
  });

  it("may have no other fields beside it in an item", () => {
    const update = (reasoning: object) => ({
      input: [{ type: "configuration_update", reasoning }],
    });
    expect(check(update({ effort: "low" }), "medium")).toMatchObject({ ok: true });
    expect(check(update({ effort: "low", evil: 1 }), "medium")).toMatchObject({
      ok: false,
      error: expect.stringContaining("reasoning"),
    });
  });
});
