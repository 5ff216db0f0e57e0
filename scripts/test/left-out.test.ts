import { join } from "node:path";
import { expect, it } from "vitest";
import { checkout } from "../setup/index.ts";
import { leftOut } from "./left-out.ts";

it("names the tests that were not run", () => {
  const assertionResults = [
    { status: "passed", fullName: "a sandbox opens" },
    { status: "failed", fullName: "a sandbox ends" },
    { status: "skipped", fullName: "a sandbox works on another mount" },
    { status: "todo", fullName: "a sandbox flies" },
  ];
  const name = join(checkout, "test/sandbox/odd-paths.root.test.ts");
  expect(leftOut({ testResults: [{ name, assertionResults }] })).toEqual([
    "test/sandbox/odd-paths.root.test.ts: a sandbox works on another mount",
    "test/sandbox/odd-paths.root.test.ts: a sandbox flies",
  ]);
});

it("names nothing if the report is missing", () => {
  expect(leftOut(undefined)).toEqual([]);
});
