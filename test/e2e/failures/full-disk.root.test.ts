import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { itAsRoot } from "../../support/root.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

describe("a full disk", SLOW, () => {
  itAsRoot("is reported, and the conversation continues in the buffer", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    const dir = join(place.base, "full");
    await mkdir(dir);
    await execa("mount", ["-t", "tmpfs", "-o", "size=16k", "none", dir]);
    try {
      await using chat = await Conversation.open({ place, model, config: { history_dir: dir } });
      model.answerInTurn(reply(message("A long answer. ".repeat(4_000))));

      expect(await chat.ask("Fill the disk.")).toEqual({ status: "completed" });

      expect(await chat.text()).toContain("A long answer.");
      await expect.poll(async () => (await chat.notifications()).join("\n")).toMatch(/space|full/);
      expect(await chat.fileText()).toContain("Fill the disk.");
    } finally {
      await execa("umount", ["-l", dir]);
    }
  });
});
