import { describe, expect, it } from "vitest";
import { filesToRunAgain, reportOfBoth } from "./second-run.ts";
import { tallyOf } from "./tally.ts";

const file = (name: string, ...statuses: string[]) => ({
  name,
  status: statuses.length === 0 || statuses.includes("failed") ? "failed" : "passed",
  assertionResults: statuses.map((status) => ({ status })),
});
const report = (...testResults: ReturnType<typeof file>[]) => ({ testResults });

const good = file("/a.test.ts", "passed", "skipped");
const bad = file("/b.test.ts", "passed", "failed");

describe("a second run", () => {
  it("has the files with a failure, those that could not be loaded among them", () => {
    expect(filesToRunAgain(report(good, bad, file("/c.test.ts")))).toEqual([
      "/b.test.ts",
      "/c.test.ts",
    ]);
  });

  it("has none of more than five files, nor of a run without a report", () => {
    const failed = Array.from({ length: 6 }, (_, n) => file(`/${n}.test.ts`, "failed"));
    expect(filesToRunAgain(report(...failed.slice(1)))).toHaveLength(5);
    expect(filesToRunAgain(report(...failed))).toEqual([]);
    expect(filesToRunAgain(undefined)).toEqual([]);
  });

  it("counts in place of the first where it passes", () => {
    const both = reportOfBoth(report(good, bad), report(file("/b.test.ts", "passed", "passed")));
    expect(tallyOf(both, 0)).toEqual({ passed: 3, failed: 0, skipped: 1 });
  });

  it("counts as a failure where it fails again, or leaves no report", () => {
    const again = reportOfBoth(report(good, bad), report(bad));
    expect(tallyOf(again, 1)).toEqual({ passed: 2, failed: 1, skipped: 1 });
    const first = { ...report(bad), numPassedTests: 1, numFailedTests: 1 };
    const none = reportOfBoth({ ...first, numPendingTests: 0, numTodoTests: 0 }, undefined);
    expect(tallyOf(none, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });
});
