import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW, share, WAIT } from "../support.ts";

const nonsense: readonly [string, Buffer, string][] = [
  [
    "front matter that is not YAML",
    Buffer.from(
      "---\n: [}{ thread\n\t- *no: &no\n---\n\n## You\n\nearlier words\n\n## Codex\n\nfine\n",
    ),
    "earlier words",
  ],
  ["no headings", Buffer.from("only earlier words\n\nand nothing else"), "only earlier words"],
  [
    "binary data",
    Buffer.concat([
      Buffer.from("## You\n\nearlier words\n"),
      Buffer.from([0, 1, 0xff, 0xfe, 0xc3, 0x28, 0x1b, 0x5b, 0x0a]),
    ]),
    "earlier words",
  ],
  [
    "an invalid thread id",
    Buffer.from(
      "---\ncodex-chat: 1\nthread: ../../etc\n---\n\n## You\n\nearlier words\n\n## Codex\n\nfine\n\n## You\n",
    ),
    "earlier words",
  ],
  ["nothing", Buffer.from(""), ""],
];

describe("a conversation's file that was edited by hand", SLOW, () => {
  // Holds the container, so that the others find it warm.
  const shared = share();

  it.each(nonsense)("can be continued when it has %s", async (_what, bytes, kept) => {
    const { place, model, chat: holder } = shared();
    model.answerInTurn(reply(message("Here is the answer.")));
    if ((await holder.turnsEnded()) === 0) await holder.ask("Start the sandbox.");
    const path = join(holder.projectDir, "chats", `2026-01-01-${randomUUID()}.md`);
    await writeFile(path, bytes);

    await using chat = await Conversation.open({ place, model });
    expect(await chat.path()).toBe(path);
    expect(await chat.ask("A new question.")).toEqual({ status: "completed" });

    expect(await chat.text()).toContain(kept);
    expect(await chat.text()).toMatch(/A new question\.[\s\S]*Here is the answer\./);
    expect(model.requests.at(-1)?.lastUserText()).toContain("A new question.");
    await expect.poll(() => chat.fileText(), WAIT).toContain("Here is the answer.");
    // What a file of text cannot hold is replaced in it, and kept.
    if (!isUtf8(bytes)) {
      const copy = join(dirname(path), "copies", basename(path));
      expect(await readFile(copy)).toEqual(bytes);
    }
  });
});

describe("a conversation's file that is deleted", SLOW, () => {
  const shared = share();

  it("is written again while it is open", async () => {
    const { chat, model } = shared();
    model.answerInTurn(reply(message("The first answer.")));
    await chat.ask("The first question.");
    await chat.untilSaved();
    await rm(await chat.path());

    model.answerInTurn(reply(message("The second answer.")));
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });

    await chat.untilSaved();
    expect(await chat.fileText()).toContain("The first answer.");
  });

  it("makes way for a new conversation when it is opened again", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    let path: string;
    {
      await using chat = await Conversation.open({ place, model });
      await chat.type("draft");
      await chat.untilSaved();
      path = await chat.path();
      await chat.quit();
    }
    await rm(path);

    await using chat = await Conversation.open({ place, model });

    expect(await chat.text()).not.toContain("draft");
    await chat.type("another draft");
    await chat.untilSaved();
    expect((await readdir(dirname(path))).filter((name) => name.endsWith(".md"))).toHaveLength(1);
  });
});
