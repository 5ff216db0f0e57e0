import { relative } from "node:path";
import * as z from "zod";
import { checkout } from "../setup/index.ts";

/** What is read of vitest's JSON report. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});

/** Names the tests that were not run, as `file: title`. */
export function leftOut(report: unknown): string[] {
  const parsed = Report.safeParse(report);
  if (!parsed.success) return [];
  return parsed.data.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => !["passed", "failed"].includes(status))
      .map(({ fullName }) => `${relative(checkout, name)}: ${fullName}`),
  );
}
