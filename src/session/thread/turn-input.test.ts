import { describe, expect, it } from "vitest";
import { inputsOf } from "./turn-input.ts";

const text = (of: string) => ({ type: "text", text: of, text_elements: [] });

describe("the inputs of a turn", () => {
  it("are empty without a query, so that Codex answers what it already has", () => {
    expect(inputsOf([])).toEqual([]);
  });

  it("begin with all queries as one text", () => {
    expect(
      inputsOf([
        { id: "user:1", text: "one" },
        { id: "user:2", text: "two" },
      ]),
    ).toEqual([text("one\n\ntwo")]);
  });

  it("continue with the mentioned texts, pictures and skills", () => {
    const query = {
      id: "user:1",
      text: "$tidy @a.ts#L1 @image:dot.png",
      context: [
        { image: "data:image/png;base64,AAAA" },
        { skill: { name: "tidy", path: "/p/.agents/skills/tidy/SKILL.md" } },
        { text: "a.ts line 1:\n\n```ts\nx\n```" },
      ],
    };
    expect(inputsOf([query])).toEqual([
      text(query.text),
      text("a.ts line 1:\n\n```ts\nx\n```"),
      { type: "image", url: "data:image/png;base64,AAAA" },
      { type: "skill", name: "tidy", path: "/p/.agents/skills/tidy/SKILL.md" },
    ]);
  });

  it("contain something that several queries mention only once", () => {
    const context = [
      { text: "The query is about `a.ts`." },
      { image: "data:image/png;base64,AAAA" },
      { skill: { name: "tidy", path: "/p/SKILL.md" } },
    ];
    const queries = ["one", "two"].map((words, n) => ({ id: `user:${n}`, text: words, context }));
    expect(inputsOf(queries)).toEqual([
      text("one\n\ntwo"),
      text("The query is about `a.ts`."),
      { type: "image", url: "data:image/png;base64,AAAA" },
      { type: "skill", name: "tidy", path: "/p/SKILL.md" },
    ]);
  });
});
