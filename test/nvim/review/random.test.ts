import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const line = fc.constantFrom("a", "b", "c", "", "\tx", "ä");
const file = fc.array(line, { maxLength: 12 });
const text = (lines: readonly string[], hasEnd: boolean) =>
  Buffer.from(lines.join("\n") + (hasEnd && lines.length > 0 ? "\n" : ""));

/** Whole decisions, so that none of them waits for more keys. */
const step = fc.constantFrom("gy", "gb", "gY", "gB", "]c", "[c", "]f", "gg", "G", "gz");

/** What has failed once. */
const EXAMPLES: [[string[], string[], boolean][], string[]][] = [
  [[[[], [], false]], ["gb", "gb"]],
  [[[["a"], ["c", "a"], false]], ["gb", "gB"]],
];

describe.each(neovims)("any sequence of decisions on Neovim $name", (program) => {
  it("is undone to the last byte", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(file, file, fc.boolean()), { minLength: 1, maxLength: 3 }),
        fc.array(step, { maxLength: 10 }),
        async (files, steps) => {
          const changed = files
            .map(([before, now, hasEnd], i) => ({
              name: `${i}.txt`,
              before: text([...before, "end"], hasEnd),
              now: text([...now, "END"], hasEnd),
            }))
            .map(({ name, ...both }) => [name, both] as const);
          await using review = await Reviewed.open({ program }, Object.fromEntries(changed));
          await review.diff();
          for (const keys of steps) await review.keys(keys);
          for (const _ of steps) await review.keys("gz");
          for (const [name, { before, now }] of changed) {
            expect(review.now(name)).toBe(now.toString("latin1"));
            expect(review.before(name)).toBe(before.toString("latin1"));
          }
        },
      ),
      { numRuns: 6, examples: EXAMPLES },
    );
  });
});
