import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

describe("a Neovim that is killed in the middle of a turn", SLOW, () => {
  it("leaves a complete file and nothing running, and the next one continues the thread", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    let path: string;
    let thread: string | undefined;
    {
      await using chat = await Conversation.open({ place, model });
      model.answer((request) =>
        request.userTexts().length < 2
          ? reply(message("I shall remember 4711."))
          : reply(message("This much was streamed."), silence()),
      );
      expect(await chat.ask("Remember 4711.")).toEqual({ status: "completed" });
      await chat.send("Think about it.");
      await chat.until("This much was streamed.");
      path = await chat.path();
      thread = threadOf(await chat.text());

      await chat.kill();
      await chat.hostGone();
    }
    await expect.poll(async () => (await place.containers()).length, WAIT).toBe(0);

    await using chat = await Conversation.open({ place, model });
    expect(await chat.path()).toBe(path);
    expect(await chat.text()).toContain("This much was streamed.");
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Remember 4711.

      ## Codex

      I shall remember 4711.

      ## You

      Think about it.

      ## Codex

      This much was streamed.

      > **Note:** Neovim went away before this turn was over. \`:CodexChat retry\`, or \`<CR>\` in the empty prompt, sends it again.

      ## You
      "
    `);
    model.answerInTurn(reply(message("It was 4711.")));
    expect(await chat.ask("What was it?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "Remember 4711.",
      "Think about it.",
      "What was it?",
    ]);
    expect(model.requests.at(-1)?.contains("I shall remember 4711.")).toBe(true);
    expect(threadOf(await chat.text())).toBe(thread);
  });

  it("leaves no code block open, whether the host or Neovim is killed", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    const code = message("Like this:\n\n```js\nconst a = 1;\nconst", { pieces: 9 });
    model.answer(() => reply(code, silence()));
    {
      await using chat = await Conversation.open({ place, model });
      await chat.send("Show me.");
      await chat.until("const a = 1;\nconst");
      // The host alone: the editor goes on with another one.
      process.kill(chat.hostPid, "SIGKILL");
      await chat.hostGone();
      await chat.send("Once more.");
      await expect
        .poll(async () => (await chat.fileText()).split("const a = 1;\nconst\n```\n").length, WAIT)
        .toBe(3);
      // So it would be left if both were killed now. Here the editor is, and the host says so.
      await chat.kill();
    }
    await expect.poll(async () => (await place.containers()).length, WAIT).toBe(0);
    await using chat = await Conversation.open({ place, model });
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Show me.

      ## Codex

      Like this:

      \`\`\`js
      const a = 1;
      const
      \`\`\`

      ## You

      Once more.

      ## Codex

      Like this:

      \`\`\`js
      const a = 1;
      const
      \`\`\`

      > **Note:** Neovim went away before this turn was over. \`:CodexChat retry\`, or \`<CR>\` in the empty prompt, sends it again.

      ## You
      "
    `);
  });

  it("leaves nothing that the next start does not remove, even if the host is also killed", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Streaming."), silence()));
    await chat.send("Go.");
    await chat.until("Streaming.");

    process.kill(chat.hostPid, "SIGKILL");
    await chat.kill();

    // The next start sweeps what the dead host has left.
    await using next = await Conversation.open({ place, model });
    const [left] = await place.containers();
    model.answerInTurn(reply(message("Here again.")));
    expect(await next.ask("Hello?")).toEqual({ status: "completed" });
    expect((await place.containers()).map((container) => container.Id)).not.toContain(left?.Id);
  });
});

describe("a thread that Codex no longer knows", SLOW, () => {
  it("is replaced by one that is given the conversation", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    let thread: string | undefined;
    {
      await using chat = await Conversation.open({ place, model });
      model.answerInTurn(reply(message("Noted: blue.")));
      expect(await chat.ask("My colour is blue.")).toEqual({ status: "completed" });
      thread = threadOf(await chat.text());
      await rm(join(chat.projectDir, "codex-home"), { recursive: true });
      await chat.quit();
    }

    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("It is blue.")));
    expect(await chat.ask("Which colour?")).toEqual({ status: "completed" });

    expect(await chat.text()).toContain("Codex no longer has this conversation in its memory.");
    expect(model.requests.at(-1)?.contains("My colour is blue.")).toBe(true);
    expect(model.requests.at(-1)?.contains("Noted: blue.")).toBe(true);
    expect(threadOf(await chat.text())).toMatch(/^[0-9a-f-]{36}$/);
    expect(threadOf(await chat.text())).not.toBe(thread);
  });
});

function threadOf(text: string): string | undefined {
  return /^thread: (.*)$/m.exec(text)?.[1];
}
