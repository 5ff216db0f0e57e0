import { beforeEach, describe, expect, it } from "vitest";
import {
  endingIn,
  httpBody,
  httpError,
  message,
  type Reply,
  rawEvent,
  reply,
} from "../../../src/offline/reply.ts";
import { type Conversation, SLOW, share } from "../support.ts";

const MARK = "an item that only the thread has";

/** An item of the model's that no text tells, and that goes along with each further request. */
const hidden = rawEvent({
  type: "response.output_item.done",
  item: { type: "reasoning", id: "rs_1", summary: [], encrypted_content: MARK },
});

const input = { param: "input" };

/** What endpoints say of a request whose items they do not take, in words and without. */
const refusals: readonly (readonly [what: string, answer: Reply])[] = [
  [
    "reasoning encrypted with another key",
    httpError(
      400,
      "The encrypted content could not be verified.",
      {},
      {
        code: "invalid_encrypted_content",
      },
    ),
  ],
  [
    "reasoning encrypted with another key, in the stream",
    endingIn({
      type: "response.failed",
      response: {
        id: "r",
        error: { code: "invalid_encrypted_content", message: "Encrypted content is not valid." },
      },
    }),
  ],
  [
    "a call without an output",
    httpError(400, "No tool output found for function call c.", {}, input),
  ],
  [
    "reasoning without the item after it",
    httpError(
      400,
      "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
    ),
  ],
  ["an item that is not found", httpError(404, "Item with id 'rs_1' not found.", {}, input)],
  ["a picture", httpError(400, "This model does not take images.", {}, { code: "invalid_image" })],
  ["its size", httpBody(413, "<html><title>413 Request Entity Too Large</title></html>")],
  ["something that cannot be processed", httpError(422, "Unprocessable")],
  [
    "an unnamed reason in plain text",
    httpBody(400, "Bad Request", { "content-type": "text/plain" }),
  ],
  ["an unnamed reason in a web page", httpBody(400, "<html><body>no</body></html>")],
  ["no reason at all", httpBody(400, "")],
  [
    "an unnamed reason in JSON of another form",
    httpBody(400, '{"detail":"no"}', { "content-type": "text/json" }),
  ],
];

/** One of each form: an error with a code, one in the stream, a page, and nothing. */
const OF_EACH_FORM = [
  "reasoning encrypted with another key",
  "reasoning encrypted with another key, in the stream",
  "its size",
  "no reason at all",
];

async function threadOf(chat: Conversation): Promise<string> {
  return /^thread: (\S+)$/m.exec(await chat.text())?.[1] ?? "";
}

describe("a request that the endpoint refuses", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  // What each of them comes to is the same, as the next test shows.
  it.each(refusals.filter(([what]) => OF_EACH_FORM.includes(what)))(
    "because of %s in the thread is sent once more, in a new thread",
    async (_what, refusal) => {
      const { chat, model } = shared();
      model.answer((request) =>
        request.contains(MARK) ? refusal : reply(hidden, message("It is noted.")),
      );
      expect(await chat.ask("My name is Ada.")).toEqual({ status: "completed" });
      const before = await threadOf(chat);
      model.answer((request) =>
        request.contains(MARK) ? refusal : reply(message("You are Ada.")),
      );
      await chat.send("What is my name?");
      expect((await chat.waitForTurnEnd()).status).toBe("failed");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      expect(await threadOf(chat)).not.toBe(before);
      expect(await chat.body()).toMatch(
        /What is my name\?\s+## Codex\s+> \*\*Error:\*\* [^\n]+\s+> \*\*Note:\*\* The thread of this conversation cannot be used any more: [^\n]+ It goes on in a new thread, which is given the text above\.\s+You are Ada\.\s+## You\s*$/,
      );
      const request = model.requests.at(-1);
      expect(request?.contains("My name is Ada.")).toBe(true);
      expect(request?.userTexts().filter((text) => text.includes("What is my name?"))).toEqual([
        "What is my name?",
      ]);
      expect(await chat.ask("Thanks.")).toEqual({ status: "completed" });
    },
  );

  it.each(refusals)(
    "because of %s in the message itself fails with advice, and a retry succeeds",
    async (_what, refusal) => {
      const { chat, model } = shared();
      model.answerInTurn(refusal);
      const end = await chat.ask("Are you well?");
      expect(end.failure?.fix).toContain("The endpoint refuses this request.");
      model.answerInTurn(reply(message("Well.")));
      await chat.command("retry");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      const before = await threadOf(chat);
      model.answerInTurn(refusal);
      await chat.send("And still?");
      expect((await chat.waitForTurnEnd()).status).toBe("failed");
      expect((await chat.waitForTurnEnd()).failure?.fix).toContain("in a new thread as well");
      // The thread that was not at fault is gone back to.
      expect(await threadOf(chat)).toBe(before);
      model.answerInTurn(reply(message("Still well.")));
      await chat.command("retry");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      expect(model.requests.at(-1)?.userTexts()).toEqual(["Are you well?", "And still?"]);
      expect(await chat.text()).toMatch(/Still well\.\s+## You\s*$/);
    },
  );

  it("because of everything in a thread can be solved by compacting, forking or a restart", async () => {
    const { chat, model } = shared();
    const refusal = httpError(400, "no", {}, { code: "invalid_encrypted_content" });
    const script = (answer: string) => (request: { contains: (text: string) => boolean }) =>
      request.contains(MARK) ? refusal : reply(hidden, message(answer));
    model.answer(script("Noted."));
    expect(await chat.ask("My name is Ada.")).toEqual({ status: "completed" });
    await chat.command("compact");
    const end = await chat.waitForTurnEnd();
    expect(end.failure?.fix).toContain("Your next message");
    model.answer(script("You are Ada."));
    await chat.adopt("fork");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains("My name is Ada.")).toBe(true);
  });
});

describe("a conversation that is too long for the model", SLOW, () => {
  const shared = share({ git: false });
  const tooLong = httpError(400, "too long", {}, { code: "context_length_exceeded" });
  beforeEach(async () => {
    const { chat, model } = shared();
    await chat.startAnew();
    model.answerInTurn(reply(message("Noted.")));
    expect(await chat.ask("My name is Ada.")).toEqual({ status: "completed" });
  });

  it("is compacted before it is sent again", async () => {
    const { chat, model } = shared();
    model.answerInTurn(tooLong, reply(message("The user is Ada.")), reply(message("You are Ada.")));
    const end = await chat.ask("What is my name?");
    expect(end.failure?.fix).toContain("has Codex compact it first");
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toMatch(/compacted[\s\S]*You are Ada\.\s+## You\s*$/);
  });

  it("continues in a new thread, or from an earlier answer, if compacting fails", async () => {
    const { chat, model } = shared();
    const tokens = async () =>
      await chat.nvim.lua<{ total: number }>("return require('codex-chat').status().tokens");
    const known = await tokens();
    model.answerInTurn(tooLong);
    expect((await chat.ask("What is my name?")).failure?.fix).toContain("compact it first");
    await chat.command("retry");
    const end = await chat.waitForTurnEnd();
    expect(end.failure?.fix).toContain("Compacting the conversation did not help.");
    expect(end.failure?.fix).toContain(":CodexChat fork");
    expect(await tokens()).toEqual(known);
    await chat.command("retry");
    expect((await chat.waitForTurnEnd()).failure?.fix).toContain("half as much of the text");
    model.answer((request) => reply(message(`Heard: ${request.lastUserText()}`)));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toMatch(/Heard: What is my name\?\s+## You\s*$/);
    expect(model.requests.at(-1)?.contains("My name is Ada.")).toBe(true);
  });

  it("can be forked at an earlier answer", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      request.contains("Tell me more.") ? tooLong : reply(message("You are Ada.")),
    );
    expect((await chat.ask("Tell me more.")).status).toBe("failed");
    await chat.command("retry");
    expect((await chat.waitForTurnEnd()).failure?.fix).toContain(":CodexChat fork");
    await chat.nvim.lua("vim.fn.cursor(vim.fn.search('^Noted', 'w'), 1)");
    await chat.adopt("fork");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["My name is Ada.", "What is my name?"]);
  });

  it("fails with advice if the message alone is too long", async () => {
    const { chat, model } = shared();
    await chat.startAnew();
    model.answerInTurn(tooLong);
    expect((await chat.ask("A very long text.")).failure?.fix).toContain("This message alone");
    model.answerInTurn(reply(message("Shorter.")));
    expect(await chat.ask("A text.")).toEqual({ status: "completed" });
  });
});
