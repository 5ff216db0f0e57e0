import { describe, expect, it } from "vitest";
import { parseTryArguments } from "./arguments.ts";

describe("the arguments of npm run try", () => {
  it("takes several questions and keeps their order", () => {
    const parsed = parseTryArguments(["--approvals", "never", "one", "two"], "/here");
    expect(parsed).toEqual({
      ok: true,
      value: {
        project: undefined,
        modelUrl: undefined,
        model: undefined,
        approvals: "never",
        timeoutMs: 300_000,
        state: undefined,
        questions: ["one", "two"],
      },
    });
  });

  it("resolves directories against the caller's working directory", () => {
    const parsed = parseTryArguments(["--project", "a b/é", "--state", "../s"], "/here/there");
    expect(parsed.ok && [parsed.value.project, parsed.value.state]).toEqual([
      "/here/there/a b/é",
      "/here/s",
    ]);
  });

  it.each([
    [["--approvals", "always"], "--approvals takes never, on-request, untrusted"],
    [["--timeout", "soon"], "--timeout takes a number of seconds"],
    [["--timeout", "-1"], "--timeout"],
    [["--model-url", "ftp://x"], "--model-url takes an http or https URL"],
    [["--nonsense"], "--nonsense"],
  ])("refuses %j with a sentence that names the option", (argv, sentence) => {
    const parsed = parseTryArguments(argv, "/here");
    expect(parsed.ok ? "" : parsed.error).toContain(sentence);
  });
});
