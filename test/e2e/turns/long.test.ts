import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel } from "../support.ts";

/**
 * As many as take about ten seconds, or `CODEX_CHAT_TURNS`; test/nvim/buffer/long.test.ts always has 500,
 * without the container.
 */
const TURNS = Number(process.env["CODEX_CHAT_TURNS"] ?? 40);

const query = (n: number): string => `Query ${n}: ä 漢 \`x\``;
const answer = (n: number): string => `Answer ${n}.\n\n\`\`\`\n## You\n\`\`\`\n\n- one\n- two`;
/** As it is written: a heading of ours is marked as text, also where it is code. */
const written = (n: number): string => answer(n).replace("## You", "\\## You");
/** Some turns run a command. */
const runs = (n: number): boolean => n % 20 === 0;

/** What stands in the file of it all, in the words of the design. */
function expected(turns: number): string {
  const parts: string[] = [];
  for (let n = 1; n <= turns; n += 1) {
    const ran = runs(n)
      ? `**Ran** \`echo ${n}\` · exit 0 · 0.1 s\n\`\`\`console output\n${n}\n\`\`\`\n\n`
      : "";
    parts.push(`## You\n\n${query(n)}\n\n## Codex\n\n${ran}${written(n)}\n`);
  }
  return `${parts.join("\n")}\n## You\n\n`;
}

const same = (text: string): string =>
  text.replace(/^---\n[\s\S]*?\n---\n+/, "").replace(/ · \d+(?:\.\d+)? (?:ms|s)\b/g, " · 0.1 s");

describe("a long conversation with the real Codex", { timeout: 60_000 + TURNS * 3000 }, () => {
  it("is exact in the file, after reopening, and in the requests of the resumed thread", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    model.answer((request) => {
      const n = request.userTexts().length;
      return runs(n) && request.outputsSinceUser().length === 0
        ? reply(exec(`echo ${n}`))
        : reply(message(answer(n)));
    });
    let path: string;
    let left: string;
    {
      await using chat = await Conversation.open({ place, model });
      for (let n = 1; n <= TURNS; n += 1) {
        expect(await chat.ask(query(n))).toEqual({ status: "completed" });
      }
      await chat.untilSaved();
      left = await chat.fileText();
      expect(same(left)).toBe(expected(TURNS));
      path = await chat.path();
      await chat.quit();
    }
    await using chat = await Conversation.open({ place, model });
    expect(await chat.path()).toBe(path);
    expect(await chat.text()).toBe(left.replace(/\n$/, ""));
    expect(await chat.ask(query(TURNS + 1))).toEqual({ status: "completed" });
    const sent = model.requests.at(-1);
    const queries = Array.from({ length: TURNS + 1 }, (_, n) => query(n + 1));
    expect(sent?.userTexts()).toEqual(queries);
    const told = JSON.stringify(sent?.body["input"]);
    for (let n = 1; n <= TURNS; n += 1) expect(told).toContain(JSON.stringify(answer(n)));
    await chat.untilSaved();
    expect(same(await chat.fileText())).toBe(expected(TURNS + 1));
  });
});
