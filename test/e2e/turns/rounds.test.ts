import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import type { ScriptedModel } from "../model.ts";
import { type Conversation, Gate, SLOW, share, until, WAIT } from "../support.ts";

/** Puts the cursor on the first line below the front matter that has this text. */
async function goTo(chat: Conversation, text: string): Promise<void> {
  await chat.nvim.lua(
    "vim.cmd.stopinsert(); vim.fn.cursor(1, 1); vim.fn.search('^---$', 'W'); assert(vim.fn.search('\\\\V' .. ..., 'cW') > 0)",
    text,
  );
}

/** Answers every menu of `vim.ui.select` with its first entry. */
async function takeFirst(chat: Conversation): Promise<void> {
  await chat.nvim.lua(
    "vim.ui.select = function(items, _, done) vim.schedule(function() done(items[1], 1) end) end",
  );
}

/** What the model was sent last: the user's words of each message. */
function heard(model: ScriptedModel): readonly string[] | undefined {
  return model.requests.at(-1)?.userTexts();
}

async function threeTurns(chat: Conversation, model: ScriptedModel): Promise<void> {
  model.answer((request) => reply(message(`Answer to: ${request.lastUserText()}`)));
  for (const query of ["First question.", "Second question.", "Third question."])
    expect(await chat.ask(query)).toEqual({ status: "completed" });
}

describe("a conversation whose text and file are changed during a turn", SLOW, () => {
  const shared = share({ git: false });

  it("ends with the complete answer, its thread and the other text", async () => {
    const { chat, model } = shared();
    await chat.startAnew();
    model.answerInTurn(reply(message("The first answer.")));
    expect(await chat.ask("A question.")).toEqual({ status: "completed" });
    const thread = /^thread: .*$/m.exec(await chat.text())?.[0] ?? "";
    expect(thread).not.toBe("");
    const gate = new Gate();
    model.answerInTurn(reply(message("The first half."), until(gate), message("The second half.")));
    await chat.send("Go on.");
    await chat.until("The first half.");
    const path = await chat.path();
    const other = "## You\n\nWhat git has there on another branch.\n";
    await writeFile(path, other);
    await chat.nvim.type("<Esc>:%delete _<CR>");
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    await chat.until("The second half.");
    await chat.until(thread);
    await expect.poll(() => chat.fileText(), WAIT).toContain("The second half.");
    expect(await chat.fileText()).toContain(thread);
    const copies = join(dirname(path), "copies");
    const kept = await Promise.all(
      (await readdir(copies)).map((name) => readFile(join(copies, name), "utf8")),
    );
    expect(kept).toContain(other);
    // It goes on in the same thread.
    model.answerInTurn(reply(message("The third answer.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect(heard(model)).toEqual(["A question.", "Go on.", "And now?"]);
    expect(/^thread: .*$/m.exec(await chat.fileText())?.[0]).toBe(thread);
  });
});

describe("continuing from an earlier place", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(async () => {
    const { chat, model } = shared();
    await chat.startAnew();
    await takeFirst(chat);
    await threeTurns(chat, model);
  });

  it("forks before the query that the cursor is in, with the query to be edited", async () => {
    const { chat, model } = shared();
    const old = await chat.path();
    const before = await chat.text();
    await goTo(chat, "Second question.");

    await chat.adopt("fork");

    expect(await chat.path()).not.toBe(old);
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      First question.

      ## Codex

      Answer to: First question.

      ## You

      Second question."
    `);
    await chat.nvim.type("<Esc>GA Really?<Esc><CR>");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(heard(model)).toEqual(["First question.", "Second question. Really?"]);
    await chat.untilSaved();
    expect((await readFile(old, "utf8")).trimEnd()).toBe(before.trimEnd());
  });

  it("forks after the answer that the cursor is in", async () => {
    const { chat, model } = shared();
    await goTo(chat, "Answer to: Second question.");
    await chat.adopt("fork");
    await chat.ask("Another third question.");
    expect(heard(model)).toEqual([
      "First question.",
      "Second question.",
      "Another third question.",
    ]);
  });

  it("sends an edited query again in a new conversation, and leaves the old one as it was", async () => {
    const { chat, model } = shared();
    const old = { path: await chat.path(), text: await chat.text() };
    await goTo(chat, "Second question.");
    await chat.nvim.type("ccWhat else?<Esc>");
    await chat.adopt(() => chat.nvim.type("<CR>"));
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(heard(model)).toEqual(["First question.", "What else?"]);
    await expect
      .poll(async () => (await readFile(old.path, "utf8")).trimEnd(), WAIT)
      .toBe(old.text.trimEnd());
  });

  it("sends nothing when an earlier query is unchanged", async () => {
    const { chat } = shared();
    const text = await chat.text();
    await goTo(chat, "Second question.");
    await chat.nvim.type("<CR>");
    await expect
      .poll(() => chat.notifications(), WAIT)
      .toContainEqual(expect.stringContaining("this query is unchanged"));
    expect(await chat.text()).toBe(text);
  });

  it("drops the turns after the cursor's from thread and document, and keeps a copy", async () => {
    const { chat, model } = shared();
    const before = await chat.text();
    await goTo(chat, "First question.");
    await chat.command("revert");
    await expect.poll(() => chat.text(), WAIT).not.toContain("Third question.");
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      First question.

      ## Codex

      Answer to: First question.

      ## You
      "
    `);
    const said = (await chat.notifications()).find((notification) =>
      notification.includes("dropped"),
    );
    const copy = said?.replace(/^.* is in (.*)\.$/, "$1").replace("~", shared().place.home);
    expect((await readFile(copy ?? "", "utf8")).trimEnd()).toBe(before.trimEnd());
    await chat.ask("A new second question.");
    expect(heard(model)).toEqual(["First question.", "A new second question."]);
  });

  it("refuses while a turn runs", async () => {
    const { chat, model } = shared();
    model.answer(() => reply(message("Working."), silence()));
    await chat.send("Work.");
    await chat.until("Working.");
    for (const command of ["fork", "revert", "compact", "review"]) await chat.command(command);
    await expect
      .poll(async () =>
        (await chat.notifications()).filter((notification) =>
          notification.includes("A turn is running"),
        ),
      )
      .toHaveLength(4);
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
  });

  it("compacts the thread, marks that in the document, and remembers the summary", async () => {
    const { chat, model } = shared();
    model.answer(() => reply(message("The summary: three questions were asked.")));
    await chat.command("compact");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.body()).toMatch(/Third question\.\n\n> \*\*Note:\*\* .*ompact/);
    model.answer(() => reply(message("Fine.")));
    await chat.ask("And now?");
    expect(model.requests.at(-1)?.contains("The summary: three questions were asked.")).toBe(true);
    expect(model.requests.at(-1)?.contains("Answer to: Second question.")).toBe(false);
  });

  it("applies model, effort and plan mode from the next turn", async () => {
    const { chat, model } = shared();
    await chat.command("model gpt-6-luna high");
    await chat.command("plan on");
    await expect.poll(() => chat.state("mode"), WAIT).toBe("high plan");
    await chat.ask("Plan it.");
    const planned = model.requests.at(-1);
    expect(planned?.model).toBe("gpt-6-luna");
    expect(planned?.body["reasoning"]).toMatchObject({ effort: "high" });
    expect(planned?.contains("Plan Mode")).toBe(true);
    await chat.command("plan off");
    await expect.poll(() => chat.state("mode"), WAIT).toBe("high");
    await chat.ask("Do it.");
    expect(JSON.stringify(model.requests.at(-1)?.input.at(-2))).not.toContain("Plan Mode");
  });
});

describe("a review", SLOW, () => {
  const shared = share({ git: false });

  it("runs as a turn, and its findings are in the quickfix list", async () => {
    const { chat, model, place } = shared();
    const file = join(place.project, "divide.js");
    await writeFile(file, "export const divide = (a, b) => a / b;\n");
    const review = {
      findings: [
        {
          title: "[P1] Guard against zero",
          body: "`b` may be 0.",
          confidence_score: 0.9,
          priority: 1,
          code_location: { absolute_file_path: file, line_range: { start: 1, end: 1 } },
        },
        {
          title: "[P2] Look at a secret",
          body: "Outside.",
          confidence_score: 0.9,
          priority: 2,
          code_location: { absolute_file_path: "/etc/passwd", line_range: { start: 1, end: 1 } },
        },
      ],
      overall_correctness: "patch is incorrect",
      overall_explanation: "It divides by zero.",
      overall_confidence_score: 0.9,
    };
    model.answer(() => reply(message(JSON.stringify(review))));
    await chat.command("review");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.body()).toContain("It divides by zero.");
    const list = await chat.nvim.lua(
      `local list = {}
       for _, item in ipairs(vim.fn.getqflist()) do
         table.insert(list, { vim.fn.bufname(item.bufnr), item.lnum, item.text })
       end
       return list`,
    );
    expect(list).toEqual([[expect.stringMatching(/divide\.js$/), 1, "[P1] Guard against zero"]]);
  });

  it("reports a missing argument", async () => {
    const { chat } = shared();
    await chat.command("review base");
    await expect
      .poll(() => chat.notifications(), WAIT)
      .toContainEqual(expect.stringContaining("needs a branch"));
  });
});
