/**
 * A second run of the files in which tests failed. It begins from nothing: no process, project,
 * container or editor of the first one is left, so that it fails for no reason of the first one's.
 */
import * as z from "zod";

/** What is read of vitest's JSON report; all else is kept. */
const Report = z.looseObject({
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.looseObject({ status: z.string() })),
    }),
  ),
});

/** More than these do not fail because a machine has paused. */
const MOST_FILES = 5;

/** The files that are to run a second time; none where too many have failed. */
export function filesToRunAgain(report: unknown): readonly string[] {
  const parsed = Report.safeParse(report);
  if (!parsed.success) return [];
  const failed = parsed.data.testResults.filter(({ status }) => status === "failed");
  return failed.length > MOST_FILES ? [] : failed.map(({ name }) => name);
}

/** The report of both runs: of a file that ran twice, the second run counts. */
export function reportOfBoth(first: unknown, second: unknown): unknown {
  const [before, after] = [Report.safeParse(first), Report.safeParse(second)];
  if (!before.success || !after.success) return first;
  const again = new Map(after.data.testResults.map((file) => [file.name, file]));
  const testResults = before.data.testResults.map((file) => again.get(file.name) ?? file);
  const statuses = testResults.flatMap((file) =>
    file.assertionResults.map((assertion) => assertion.status),
  );
  const count = (status: string) => statuses.filter((each) => each === status).length;
  const [numPassedTests, numFailedTests] = [count("passed"), count("failed")];
  return {
    ...before.data,
    testResults,
    numPassedTests,
    numFailedTests,
    numPendingTests: statuses.length - numPassedTests - numFailedTests,
    numTodoTests: 0,
  };
}
