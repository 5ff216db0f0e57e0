import { describe, expect, it } from "vitest";
import { unansweredQuery } from "./unanswered.ts";

const text = (...sections: readonly string[]) => `${[...sections, "## You", ""].join("\n\n")}\n`;
const error = "> **Error:** no key.\n>\n> Set one.";
const note = "> **Note:** stopped.";
const cut = "> **Note:** The host was ended before this turn was over. Send it again.";

describe("the query without an answer", () => {
  it.each<readonly [what: string, sections: readonly string[], expected: object | undefined]>([
    ["is none in an empty conversation", [], undefined],
    ["is none where all is answered", ["## You\n\nA?", "## Codex\n\nYes."], undefined],
    ["has nothing below it", ["## You\n\nA?"], { text: "A?", how: "silent", sections: 1 }],
    ["has an empty answer", ["## You\n\nA?", "## Codex"], { text: "A?", how: "silent" }],
    [
      "has an error below it",
      ["## You\n\nA?", `## Codex\n\n${error}`],
      { text: "A?", how: "failed" },
    ],
    ["has a note below it", ["## You\n\nA?", `## Codex\n\n${note}`], { text: "A?", how: "noted" }],
    [
      "has a part of an answer and an error below it",
      [
        "## You\n\nA?",
        "## Codex\n\nYes.",
        "## You\n\nB?",
        `## Codex\n\nHalf.\n\n${error}\n\n${note}`,
      ],
      { text: "B?", how: "failed", sections: 1 },
    ],
    [
      "has a part of an answer below it that was cut off with the host",
      ["## You\n\nA?", `## Codex\n\nHalf.\n\n${cut}`],
      { text: "A?", how: "noted", isPartial: true },
    ],
    [
      "is none where a review was cut off",
      ["## You\n\nA?", `## Codex\n\nYes.\n\n${cut.replace("this turn", "this")}`],
      undefined,
    ],
    [
      "is none where the user stopped a part of an answer",
      ["## You\n\nA?", `## Codex\n\nHalf.\n\n${note}`],
      undefined,
    ],
    [
      "is none where an error was followed by an answer",
      ["## You\n\nA?", `## Codex\n\n${error}`, "## Codex\n\nYes."],
      undefined,
    ],
    [
      "is several that were sent together",
      ["## You\n\nA?", `## Codex\n\n${error}`, "## You\n\nB?"],
      { text: "A?\n\nB?", sections: 2 },
    ],
    [
      "says whether something went along",
      ["## You\n\nA?\n\n> **Context:** `a.ts`"],
      { text: "A?", hadContext: true },
    ],
  ])("%s", (_what, sections, expected) => {
    const found = unansweredQuery(text(...sections));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });
});
