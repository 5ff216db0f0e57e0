import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply, silence } from "../../../src/offline/reply.ts";
import { Gate, SLOW, share, until, WAIT } from "../support.ts";

describe("while a turn runs", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("passes a sent query to the model within the same turn", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      request.userTexts().includes("And in French?")
        ? reply(message("Bonjour."))
        : reply(message("Hello. I think about it."), silence()),
    );
    await chat.send("Say hello.");
    await chat.until("I think about it.");

    await chat.send("And in French?");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["Say hello.", "And in French?"]);
    expect(await chat.turnsEnded()).toBe(1);
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Say hello.

      ## Codex

      Hello. I think about it.

      ## You

      And in French?

      ## Codex

      Bonjour.

      ## You
      "
    `);
  });

  it("sends a query that races the turn's end exactly once", async () => {
    const { chat, model } = shared();
    for (const first of ["query", "answer"]) {
      const gate = new Gate();
      const late = `late, ${first} first`;
      model.answer((request) =>
        request.lastUserText() === late
          ? reply(message(`Answer to: ${late}.`))
          : reply(message(`Answer before: ${late}.`), until(gate)),
      );
      await chat.send(`early, ${first} first`);
      await chat.until(`Answer before: ${late}.`);

      await chat.type(late);
      if (first === "answer") gate.open();
      const sent = chat.nvim.type("<Esc><CR>");
      gate.open();
      await sent;

      await chat.until(`Answer to: ${late}.`);
      await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
      const texts = model.requests.at(-1)?.userTexts() ?? [];
      expect(texts.filter((text) => text === late)).toHaveLength(1);
    }
  });

  it("holds back a queued query until the turn has ended", async () => {
    const { chat, model } = shared();
    const gate = new Gate();
    model.answer((request) =>
      request.lastUserText() === "the second"
        ? reply(message("The second answer."))
        : reply(message("The first answer."), until(gate)),
    );
    await chat.send("the first");
    await chat.until("The first answer.");

    await chat.queue("the second");
    await expect.poll(() => chat.text(), WAIT).toMatch(/the second\n\n## You/);
    expect(model.requests.some((request) => request.contains("the second"))).toBe(false);
    gate.open();

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["the first", "the second"]);
  });

  it("keeps the text in the order of the turns when a query is queued before another steers", async () => {
    const { chat, model } = shared();
    const gate = new Gate();
    model.answer((request) =>
      request.contains("Then the lines.")
        ? reply(message("3,400 lines."))
        : request.contains("Only of src.")
          ? reply(message("There are 12."), until(gate))
          : reply(message("I count."), silence()),
    );
    await chat.send("Count.");
    await chat.until("I count.");
    await chat.queue("Then the lines.");
    await chat.send("Only of src.");
    await chat.until("There are 12.");
    gate.open();
    await chat.until("3,400 lines.");
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "Count.",
      "Only of src.",
      "Then the lines.",
    ]);
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Count.

      ## Codex

      I count.

      ## You

      Only of src.

      ## Codex

      There are 12.

      ## You

      Then the lines.

      ## Codex

      3,400 lines.

      ## You
      "
    `);
  });

  it("sends each of many racing queries once, with text and thread in the same order", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      reply(message(`An answer of ${request.lastUserText().length}.`, { pieces: 6 })),
    );
    const storm = Array.from({ length: 20 }, (_, n) => `storm ${n}.`);
    const queries = (text: string) => text.split("\n").filter((line) => line.startsWith("storm"));
    for (const [n, query] of storm.entries())
      await (n % 4 === 3 ? chat.queue(query) : chat.send(query));
    const heard = () => queries((model.requests.at(-1)?.userTexts() ?? []).join("\n"));
    await expect.poll(() => heard().length, WAIT).toBe(storm.length);
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    expect(heard().toSorted()).toEqual(storm.toSorted());
    expect(queries(await chat.body())).toEqual(heard());
  });

  it("sends a queued query as edited in the buffer, and not a deleted one", async () => {
    const { chat, model } = shared();
    const gate = new Gate();
    model.answer((request) =>
      request.userTexts().length === 1
        ? reply(message("Working."), until(gate))
        : reply(message("Then this.")),
    );
    await chat.send("First.");
    await chat.until("Working.");
    await chat.queue("Second, with an eror.");
    await chat.queue("Never mind.");
    await chat.nvim.type("<Esc>");
    await chat.nvim.lua("vim.fn.cursor(1, 1); vim.fn.search('eror')");
    await chat.nvim.type("cwerror<Esc>");
    await chat.nvim.lua("vim.fn.search('Never')");
    await chat.nvim.type("kkd3j");
    // Answered after the host was told what was typed.
    await chat.nvim.lua("");
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second, with an error."]);
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      First.

      ## Codex

      Working.

      ## You

      Second, with an error.


      ## Codex

      Then this.

      ## You
      "
    `);
  });

  it("starts no other turn when all waiting queries were deleted", async () => {
    const { chat, model } = shared();
    const gate = new Gate();
    model.answer(() => reply(message("Working."), until(gate)));
    await chat.send("First.");
    await chat.until("Working.");
    await chat.queue("Never mind.");
    await chat.nvim.type("<Esc>");
    await chat.nvim.lua("vim.fn.cursor(1, 1); vim.fn.search('Never')");
    await chat.nvim.type("kkd3j");
    // Answered after the host was told what was typed.
    await chat.nvim.lua("");
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    expect(model.requests).toHaveLength(1);
    expect(await chat.text()).not.toContain("Note");
  });

  it("stops the turn and its command, and runs the next turn", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(
      reply(exec("echo has begun; sleep 86399 & sleep 86399", { yieldMs: 30_000 })),
      reply(message("Back again.")),
    );
    await chat.send("Sleep.");
    // The pattern does not match its own command line.
    const sleepers = async () =>
      (await place.inside("grep -las 8639[9] /proc/[0-9]*/cmdline")).stdout.split("\n").length - 1;
    await expect.poll(sleepers, WAIT).toBeGreaterThan(1);

    await chat.stop();

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    await expect.poll(sleepers, WAIT).toBe(0);
    expect(await chat.ask("Are you there?")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("Back again.");
  });
});

describe("stopping while commands still run", SLOW, () => {
  const shared = share({ git: false, config: { stop_commands: "ask" } });

  it("asks, and ends them if the user agrees", async () => {
    const { chat, model, place } = shared();
    model.answer((request) =>
      request.outputsSinceUser().length === 0
        ? reply(exec("sleep 86397", { yieldMs: 250 }))
        : reply(message("It runs."), silence()),
    );
    const running = async () =>
      (await place.inside("grep -las 8639[7] /proc/[0-9]*/cmdline")).stdout.split("\n").length - 1;
    await chat.nvim.lua(
      `vim.ui.select = function(items, opts, done)
         _G.asked = opts.prompt
         done(items[1], 1)
       end`,
    );
    await chat.send("Sleep.");
    await chat.until("It runs.");
    expect(await running()).toBeGreaterThan(0);
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    await expect.poll(() => chat.nvim.lua("return _G.asked"), WAIT).toContain("sleep 86397");
    await expect.poll(running, WAIT).toBe(0);
  });
});
