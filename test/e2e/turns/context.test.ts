import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import { SLOW, share } from "../support.ts";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

describe("a mentioned file", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("is sent to the model, as text or picture, and is recognized in the document", async () => {
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

  it("is sent to the model as it is in the editor if it is not saved", async () => {
    const { chat, model, place } = shared();
    await writeFile(join(place.project, "draft.lua"), "return 1\n");
    await chat.nvim.lua(
      "local buf = vim.fn.bufadd(...); vim.fn.bufload(buf); vim.api.nvim_buf_set_lines(buf, 0, 1, false, { 'return 2' })",
      join(place.project, "draft.lua"),
    );
    model.answer(() => reply(message("Fine.")));

    expect(await chat.ask("What does @draft.lua give?")).toEqual({ status: "completed" });

    expect(model.requests.at(-1)?.userTexts().slice(-2)).toEqual([
      "What does @draft.lua give?",
      "draft.lua (with unsaved changes), as it is in the editor:\n\n```lua\nreturn 2\n```",
    ]);
  });

  it("is steered into a running turn with the query", async () => {
    const { chat, model, place } = shared();
    await writeFile(join(place.project, "add.lua"), "local M = {}\nM.one = 1\nreturn M\n");
    model.answer((request) =>
      request.contains("M.one = 1")
        ? reply(message("Seen."))
        : reply(message("I am at it."), silence()),
    );
    await chat.send("Begin.");
    await chat.until("I am at it.");

    await chat.send("Mind @add.lua#L1-L2.");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts().slice(-2)).toEqual([
      "Mind @add.lua#L1-L2.",
      "add.lua lines 1–2:\n\n```lua\nlocal M = {}\nM.one = 1\n```",
    ]);
  });

  it("may be a skill, whose instructions Codex adds itself", async () => {
    const { chat, model, place } = shared();
    const dir = join(place.project, ".agents/skills/tidy");
    await mkdir(dir, { recursive: true });
    const front = "---\nname: tidy\ndescription: Tidies the house.\n---\n";
    await writeFile(join(dir, "SKILL.md"), `${front}Sweep under the carpet.\n`);
    model.answer(() => reply(message("Fine.")));

    expect(await chat.ask("Use $tidy now.")).toEqual({ status: "completed" });

    expect(model.requests.at(-1)?.contains("Sweep under the carpet.")).toBe(true);
    expect(await chat.body()).toContain("> **Context:** skill tidy\n");
  });
});
