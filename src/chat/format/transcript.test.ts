import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFrontMatter, withKeptKeys, withMeta } from "./front-matter.ts";
import { slug } from "./slug.ts";
import {
  newTranscript,
  readTranscript,
  transcriptForModel,
  writeTranscript,
} from "./transcript.ts";

const sample = `---
codex-chat: 1
thread: 0199-a
project: /home/ada/engine
model: gpt-5.5
tags: [mine]
created: 2026-03-14T09:26:53Z
---

## You

What is this?

\`\`\`md
## You
\`\`\`

## Codex

An engine.

## You

And
`;

describe("readTranscript", () => {
  it("reads front matter, sections and the prompt", () => {
    expect(readTranscript(sample)).toEqual({
      meta: {
        thread: "0199-a",
        project: "/home/ada/engine",
        model: "gpt-5.5",
        created: "2026-03-14T09:26:53Z",
      },
      frontMatter: sample.split("\n").slice(1, 7).join("\n"),
      preamble: "",
      sections: [
        { role: "user", text: "What is this?\n\n```md\n## You\n```" },
        { role: "codex", text: "An engine." },
      ],
      prompt: "And",
      problems: [],
    });
  });

  it.each([
    ["that is not YAML", "---\na: [\n---\n", /not YAML/],
    ["that is a list", "---\n- a\n---\n", /not a list of keys/],
    ["of a later version", "---\ncodex-chat: 2\n---\n", /format is 2/],
    ["without an end", "---\nthread: x\n", /no closing/],
    ["with a map for a thread", "---\nthread: {a: b}\n---\n", /`thread`.*not text/],
    ["that is a bomb", `---\na: ${"x".repeat(70_000)}\n---\n`, /longer than 64 KiB/],
  ])("lists a problem for front matter %s", (_, text, problem) => {
    expect(readTranscript(`${text}\n## You\n\nhi\n`)).toMatchObject({ meta: {}, prompt: "hi" });
    expect(readTranscript(text).problems.join("\n")).toMatch(problem);
  });

  it("has an empty prompt if the file ends with an answer", () => {
    expect(readTranscript("## You\n\na\n\n## Codex\n\nb\n").prompt).toBe("");
  });

  it("never throws, and writing what was read changes nothing more", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "---",
        "## You",
        "## Codex",
        "```",
        "````",
        "- ```",
        "> a",
        "",
        "a: b",
        "  ",
        "\t",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const once = writeTranscript(readTranscript(lines.join("\n")));
        expect(writeTranscript(readTranscript(once))).toBe(once);
      }),
    );
  });

  it("reads the same again after it is written", () => {
    expect(writeTranscript(readTranscript(sample))).toBe(sample);
  });
});

describe("newTranscript", () => {
  it("begins with front matter and an empty prompt", () => {
    expect(newTranscript({ project: "/p q", model: "a: b", created: "2026-03-14" })).toBe(
      '---\ncodex-chat: 1\nproject: /p q\nmodel: "a: b"\ncreated: 2026-03-14\n---\n\n## You\n\n',
    );
  });
});

describe("withKept", () => {
  const known = { thread: "0199-a", project: "/w/p", name: "N" };
  const source = "codex-chat: 1\nmine: x\nthread: 0199-a\nproject: /w/p";

  it.each([
    ["deleted", "## You\n"],
    ["emptied", "---\n---\n## You\n"],
    ["no longer YAML", "---\nthread: [abc\nfoo: : :\n\tx\n---\n\n## You\n"],
    ["not a map", "---\n{{{{\n---\n## You\n"],
    ["without an end", "---\nthread: 0199-a\n\n## You\n"],
    ["another thread's", "---\nthread: >-\n  0199-ax\nproject: /w/p\n---\n## You\n"],
    ["deleted with everything else", ""],
  ])("has thread and project in front matter that is %s", (_name, text) => {
    const kept = withKeptKeys(text, known, source);
    const { thread, project } = readFrontMatter(kept.split("\n")).meta;
    expect({ thread, project }).toEqual({ thread: "0199-a", project: "/w/p" });
    expect(withKeptKeys(kept, known, source)).toBe(kept);
    expect(kept.endsWith(text.replace(/^---[\s\S]*\n---\n/, ""))).toBe(true);
  });

  it("restores the other keys' lines, and changes nothing if nothing is lost", () => {
    expect(withKeptKeys("## You\n", known, source)).toBe(`---\n${source}\n---\n\n## You\n`);
    const whole = "---\nproject: '/w/p'\nthread: \"0199-a\"\nname: other\n---\n";
    expect(withKeptKeys(whole, known, source)).toBe(whole);
  });
});

describe("withMeta", () => {
  it("sets keys and keeps all other lines", () => {
    expect(withMeta(sample, { thread: "0199-b" })).toBe(sample.replace("0199-a", "0199-b"));
    expect(withMeta("---\nx: 1\n---\ntext\n", { model: "m" })).toBe(
      "---\nx: 1\nmodel: m\n---\ntext\n",
    );
  });

  it("adds front matter if there is none", () => {
    expect(withMeta("## You\n", { model: "m" })).toBe(
      "---\ncodex-chat: 1\nmodel: m\n---\n\n## You\n",
    );
  });

  it("survives values that would break out of their line", () => {
    const text = withMeta(sample, { model: "a\n---\nthread: evil" });
    expect(readTranscript(text).meta).toMatchObject({
      thread: "0199-a",
      model: "a\n---\nthread: evil",
    });
  });
});

describe("slug", () => {
  it.each([
    ["What is wrong with the parser?", "what-is-wrong-with-the-parser"],
    ["Don't  use «Ünïcode»!", "dont-use-unicode"],
    ["../../etc/passwd", "etc-passwd"],
    ["日本語", "chat"],
    ["", "chat"],
    ["-rf", "rf"],
    ["x".repeat(100), "x".repeat(48)],
    [
      "one two three four five six seven eight nine ten eleven",
      "one-two-three-four-five-six-seven-eight-nine-ten",
    ],
  ])("names %j %s", (query, name) => {
    expect(slug(query)).toBe(name);
  });
});

describe("transcriptForModel", () => {
  it("returns the whole conversation if it fits", () => {
    expect(transcriptForModel(sample, 10_000)).toMatch(
      /## You\n\nWhat is this\?[\s\S]*## Codex\n\nAn engine\.$/,
    );
  });

  it("keeps the first query and the latest sections if it does not fit", () => {
    const middle = Array.from(
      { length: 50 },
      (_, n) => `## You\n\nquery ${n} ${"x".repeat(90)}\n\n## Codex\n\nanswer ${n}\n`,
    );
    const text = transcriptForModel(
      `## You\n\nthe first\n\n## Codex\n\nyes\n\n${middle.join("\n")}`,
      1000,
    );
    expect(text.length).toBeLessThanOrEqual(1000);
    expect(text).toContain("the first");
    expect(text).toContain("answer 49");
    expect(text).toMatch(/\[\d+ sections left out\]/);
  });

  it("is empty for an empty conversation", () => {
    expect(transcriptForModel(newTranscript({}), 1000)).toBe("");
  });
});
