import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { followBuild } from "./build-log.ts";

async function follow(messages: readonly unknown[]) {
  const lines: string[] = [];
  const bytes = messages.map((message) => `${JSON.stringify(message)}\r\n`).join("");
  const end = await followBuild(Readable.from([Buffer.from(bytes)]), (line) => lines.push(line));
  return { lines, end };
}

describe("followBuild", () => {
  it("passes on the steps and output of a build, line by line", async () => {
    const { lines, end } = await follow([
      { stream: "Step 1/2 : FROM debian\n" },
      { status: "Pulling fs layer", id: "abc" },
      { status: "Downloading", id: "abc", progressDetail: { current: 1 } },
      { stream: "\u001b[32mone\u001b[0m\ntwo\u0007\n" },
      { aux: { ID: "sha256:1" } },
    ]);
    expect(lines).toEqual(["Step 1/2 : FROM debian", "abc: Pulling fs layer", "one", "two"]);
    expect(end.error).toBeUndefined();
  });

  it("reports the engine's error with the last lines before it", async () => {
    const { end } = await follow([
      ...Array.from({ length: 30 }, (_, i) => ({ stream: `line ${i}\n` })),
      { errorDetail: { code: 100, message: "apt-get returned a non-zero code: 100" }, error: "x" },
    ]);
    expect(end.error).toBe("apt-get returned a non-zero code: 100");
    expect(end.lastLines).toHaveLength(20);
    expect(end.lastLines.at(-1)).toBe("line 29");
  });

  it("treats a stream that breaks off as a failure", async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"stream":"Step 1"}\n{"str');
      throw new Error("aborted");
    }
    const end = await followBuild(broken(), () => {});
    expect(end.error).toBe("the engine broke off the build (aborted)");
    expect(end.lastLines).toEqual(["Step 1"]);
  });
});
