import { resolve, sep } from "node:path";

/** One finding of a review, at a place in the project. Lines are 1-based, the last one inclusive. */
export type Finding = {
  readonly path: string;
  readonly line: number;
  readonly last: number;
  readonly title: string;
  readonly body: string;
};

/** The most findings of one review that are listed. */
const MAX_FINDINGS = 500;
/** How much of a review is read, and of which lines: the pattern below costs more on long ones. */
const MAX_REVIEW_CHARS = 1024 ** 2;
const MAX_LINE_CHARS = 2000;

/**
 * Reads the findings out of a review's text as Codex 0.169 renders it: `- <title> — <path>:<first>-<last>`
 * with the body indented below.
 *
 * SECURITY: the text is the model's. A place outside of the project is left out: nobody should be led
 * to a file there by a list that the plugin made.
 */
export function findingsOf(review: string, root: string): Finding[] {
  const findings: { place: Omit<Finding, "body">; body: string[] }[] = [];
  for (const line of review.slice(0, MAX_REVIEW_CHARS).split("\n")) {
    const found =
      line.length > MAX_LINE_CHARS
        ? null
        : /^- (?:\[[ x]\] )?(.+) — (.+):(\d{1,9})-(\d{1,9})$/.exec(line);
    if (found !== null) {
      const [, title = "", path = "", first, last] = found;
      const place = { path: resolve(root, path), line: Number(first), last: Number(last), title };
      findings.push({ place, body: [] });
    } else if (line.startsWith("  ")) findings.at(-1)?.body.push(line.slice(2));
  }
  return findings
    .filter(({ place }) => place.path.startsWith(root + sep) && place.line > 0)
    .slice(0, MAX_FINDINGS)
    .map(({ place, body }) => ({ ...place, body: body.join("\n").trim() }));
}
