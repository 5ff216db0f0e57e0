import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { message, reply } from "../../src/offline/index.ts";
import { SLOW, share } from "./support.ts";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

describe("what is mentioned", SLOW, () => {
  const shared = share();

  it("goes along to the model, text and picture, and is known again in the document", async () => {
    const { chat, model, place } = shared();
    await writeFile(join(place.project, "add.lua"), "local M = {}\nM.one = 1\nreturn M\n");
    await writeFile(join(place.project, "dot.png"), Buffer.from(PNG, "base64"));
    model.answer(() => reply(message("Fine.")));

    expect(await chat.ask("Explain @add.lua#L2 and @image:dot.png")).toEqual({
      status: "completed",
    });

    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "Explain @add.lua#L2 and @image:dot.png",
      "add.lua line 2:\n\n```lua\nM.one = 1\n```",
    ]);
    expect(model.requests.at(-1)?.contains(`data:image/png;base64,${PNG}`)).toBe(true);
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Explain @add.lua#L2 and @image:dot.png

      > **Context:** add.lua line 2 · dot.png

      ## Codex

      Fine.

      ## You
      "
    `);

    await chat.nvim.lua("vim.cmd.stopinsert(); vim.fn.cursor(1, 1); vim.fn.search('^Explain')");
    await chat.adopt("fork");
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Explain @add.lua#L2 and @image:dot.png"
    `);
  });
});
