import { describe, expect, it } from "vitest";
import { addTallies, closingTally, formatTally, tallyOf } from "./tally.ts";

const report = (numbers: Record<string, number>, testResults: unknown[] = []) => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  ...numbers,
  testResults,
});

describe("counting a run of vitest", () => {
  it("takes the numbers of a report as they are", () => {
    const run = report({
      numPassedTests: 5,
      numFailedTests: 2,
      numPendingTests: 1,
      numTodoTests: 1,
    });
    expect(tallyOf(run, 1)).toEqual({ passed: 5, failed: 2, skipped: 2 });
  });

  it("counts a file that cannot be loaded as a failure", () => {
    const broken = { status: "failed", assertionResults: [] };
    const run = report({ numPassedTests: 5 }, [broken]);
    expect(tallyOf(run, 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
  });

  it("counts a failure that no test shows, such as an unhandled error", () => {
    expect(tallyOf(report({ numPassedTests: 5 }), 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
  });

  it("counts no test at all as a failure, however vitest ended", () => {
    expect(tallyOf(report({}), 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(tallyOf(undefined, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it("lets one of two runs have no test if some were asked for, but not both", () => {
    const none = tallyOf(report({ numPendingTests: 2 }), 0, { mayBeEmpty: true });
    expect(none).toEqual({ passed: 0, failed: 0, skipped: 2 });
    expect(closingTally(addTallies([none, none]))).toEqual({ passed: 0, failed: 1, skipped: 4 });
    const some = { passed: 1, failed: 0, skipped: 0 };
    expect(closingTally(addTallies([none, some]))).toEqual({ passed: 1, failed: 0, skipped: 2 });
  });

  it("counts a run without a report as a failure, even if it may have no test", () => {
    const failed = { passed: 0, failed: 1, skipped: 0 };
    expect(tallyOf(undefined, 0, { mayBeEmpty: true })).toEqual(failed);
    expect(tallyOf(report({}), 1, { mayBeEmpty: true })).toEqual(failed);
  });
});

describe("the closing line", () => {
  it("names skipped tests only where there are some", () => {
    expect(formatTally({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(formatTally({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });

  it("totals all suites", () => {
    const parts = [
      { passed: 1, failed: 0, skipped: 0 },
      { passed: 2, failed: 1, skipped: 3 },
    ];
    expect(formatTally(addTallies(parts))).toBe("3 passed, 1 failed, 3 skipped");
  });
});
