import { describe, expect, it } from "vitest";
import { unansweredQuery } from "./unanswered.ts";

const text = (...sections: readonly string[]) => `${[...sections, "## You", ""].join("\n\n")}\n`;
const error = "> **Error:** no key.\n>\n> Set one.";
const note = "> **Note:** stopped.";
const cut = "> **Note:** The host was ended before this turn was over. Send it again.";

describe("the query without an answer", () => {
  it.each<readonly [what: string, sections: readonly string[], expected: object | undefined]>([
    ["does not exist in an empty conversation", [], undefined],
    ["does not exist if everything is answered", ["## You\n\nA?", "## Codex\n\nYes."], undefined],
    ["may have nothing below it", ["## You\n\nA?"], { text: "A?", how: "silent", sections: 1 }],
    ["may have an empty answer", ["## You\n\nA?", "## Codex"], { text: "A?", how: "silent" }],
    [
      "may have an error below it",
      ["## You\n\nA?", `## Codex\n\n${error}`],
      { text: "A?", how: "failed" },
    ],
    [
      "may have a note below it",
      ["## You\n\nA?", `## Codex\n\n${note}`],
      { text: "A?", how: "noted" },
    ],
    [
      "may have a partial answer and an error below it",
      [
        "## You\n\nA?",
        "## Codex\n\nYes.",
        "## You\n\nB?",
        `## Codex\n\nHalf.\n\n${error}\n\n${note}`,
      ],
      { text: "B?", how: "failed", sections: 1 },
    ],
    [
      "may have a partial answer below it that ended with the host",
      ["## You\n\nA?", `## Codex\n\nHalf.\n\n${cut}`],
      { text: "A?", how: "noted", isPartial: true },
    ],
    [
      "does not exist if a review was cut off",
      ["## You\n\nA?", `## Codex\n\nYes.\n\n${cut.replace("this turn", "this")}`],
      undefined,
    ],
    [
      "does not exist if the user stopped the answer",
      ["## You\n\nA?", `## Codex\n\nHalf.\n\n${note}`],
      undefined,
    ],
    [
      "does not exist if an error was followed by an answer",
      ["## You\n\nA?", `## Codex\n\n${error}`, "## Codex\n\nYes."],
      undefined,
    ],
    [
      "includes all queries that were sent together",
      ["## You\n\nA?", `## Codex\n\n${error}`, "## You\n\nB?"],
      { text: "A?\n\nB?", sections: 2 },
    ],
    [
      "tells whether it was sent with context",
      ["## You\n\nA?\n\n> **Context:** `a.ts`"],
      { text: "A?", hadContext: true },
    ],
  ])("%s", (_what, sections, expected) => {
    const found = unansweredQuery(text(...sections));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });
});
