import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../support/neovim.ts";

const tests = ["src", "scripts", "test", "attack"].flatMap((dir) =>
  readdirSync(join(repository, dir), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(dir, name)),
);
const files = tests.map((path) => ({ path, text: readFileSync(join(repository, path), "utf8") }));

// `npm test` as root runs the two kinds of files as two users: nothing may be left out in both.
describe("a test", () => {
  it("that needs root stands in a file of that name, with none that do not", () => {
    expect(files.length).toBeGreaterThan(200);
    const needsRoot = files.filter(({ text }) => /\bitAsRoot(?:\.each\(.*\))?\(/.test(text));
    expect(needsRoot.map(({ path }) => path)).toEqual(
      tests.filter((path) => path.endsWith(".root.test.ts")),
    );
    expect(needsRoot.filter(({ text }) => /^ *it(?:\.each)?\(/m.test(text))).toEqual([]);
  });

  it("is left out for no other reason than who runs it", () => {
    const leftOut = /\b(?:it|test|describe)\.(?:skip|todo|only|fails|skipIf|runIf)\b/;
    expect(files.filter(({ text }) => leftOut.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
