import * as z from "zod";

/** How many tests ended how. */
export type Tally = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** What is read of vitest's JSON report. */
const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

/**
 * Counts a vitest run. A file that could not be loaded counts as one failure, and so does a run that
 * failed although no test did (an unhandled error), left no report, or ran nothing although it must
 * not be empty.
 */
export function tallyOf(
  report: unknown,
  exitCode: number,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): Tally {
  const parsed = Report.safeParse(report);
  if (!parsed.success) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } =
    parsed.data;
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  const failed = numFailedTests + broken.length;
  const isEmpty = numPassedTests === 0 && !mayBeEmpty;
  const silentFailure = failed === 0 && (exitCode !== 0 || isEmpty);
  return {
    passed: numPassedTests,
    failed: silentFailure ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
  };
}

/** Adds tallies up. */
export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = (count: (tally: Tally) => number) =>
    tallies.reduce((total, tally) => total + count(tally), 0);
  return {
    passed: sum((tally) => tally.passed),
    failed: sum((tally) => tally.failed),
    skipped: sum((tally) => tally.skipped),
  };
}

/** The tally of the whole run: one failure if no test ran at all. */
export function closingTally(total: Tally): Tally {
  return total.passed === 0 && total.failed === 0 ? { ...total, failed: 1 } : total;
}

/** Writes the line that closes a test run, in the form that CI reads. */
export function formatTally({ passed, failed, skipped }: Tally): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}
