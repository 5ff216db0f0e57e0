import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { functionCall, message, reply, silence } from "../../../src/offline/reply.ts";
import type { ScriptedModel } from "../model.ts";
import { type Conversation, SLOW, share } from "../support.ts";

/** Calls tools of the editor one after another, and gives what they answered. */
async function ask(
  { chat, model }: { readonly chat: Conversation; readonly model: ScriptedModel },
  ...calls: readonly (readonly [tool: string, args: object])[]
): Promise<string[]> {
  model.answer((request) => {
    const call = calls[request.outputsSinceUser().length];
    return call === undefined
      ? reply(message("Looked."))
      : reply(functionCall(call[0], call[1], "editor"));
  });
  expect(await chat.ask("Look.")).toEqual({ status: "completed" });
  return model.requests.at(-1)?.outputsSinceUser() ?? [];
}

describe("the editor's state for Codex", SLOW, () => {
  const shared = share({ git: false, config: { editor_tools: { quickfix: false } } });
  beforeEach(async () => {
    const { chat, place } = shared();
    await writeFile(join(place.project, "add.lua"), "return 1\n");
    await writeFile(join(place.project, ".env"), "KEY=canary\n");
    await writeFile(join(place.project, "..", "outside.lua"), "return 'canary'\n");
    await chat.startAnew();
    await chat.nvim.lua(
      `local win = vim.api.nvim_get_current_win()
       vim.cmd("wincmd p")
       for _, name in ipairs({ ".env", "../outside.lua", "add.lua" }) do
         vim.cmd.edit(vim.fn.fnameescape(name))
       end
       vim.api.nvim_buf_set_lines(0, 0, -1, false, { "return 2", "-- not saved" })
       vim.diagnostic.set(vim.api.nvim_create_namespace("t"), 0, {
         { lnum = 0, col = 7, message = "two?", severity = 2 } })
       vim.fn.setqflist({ { bufnr = 0, lnum = 1, text = "canary" } })
       vim.api.nvim_win_set_cursor(0, { 2, 3 })
       vim.api.nvim_set_current_win(win)`,
    );
  });

  it("includes open files, unsaved text, the cursor and diagnostics", async () => {
    const { model } = shared();
    expect(
      await ask(
        shared(),
        ["open_buffers", {}],
        ["read_buffer", { path: "add.lua", first: 2 }],
        ["cursor", {}],
        ["diagnostics", {}],
        ["diagnostics", { path: "add.lua" }],
      ),
    ).toEqual([
      "add.lua (2 lines, with unsaved changes, in view)",
      "-- not saved",
      "add.lua:2:4\n-- not saved",
      "add.lua:1:8: warning: two?",
      "add.lua:1:8: warning: two?",
    ]);
    expect(model.requests[0]?.contains('changes that are not saved in "add.lua"')).toBe(true);
  });

  it("is refused outside the project, for protected files, and if it is switched off", async () => {
    const answers = await ask(
      shared(),
      ["read_buffer", { path: "../outside.lua" }],
      ["read_buffer", { path: ".env" }],
      ["read_buffer", { path: join(shared().place.project, "..", "outside.lua") }],
      ["read_buffer", {}],
      ["quickfix", {}],
      ["lsp", { action: "hover", path: "add.lua" }],
    );
    expect(answers).toEqual([
      "../outside.lua is not open in the editor; read the file itself",
      ".env is not open in the editor; read the file itself",
      expect.stringContaining("is not open in the editor"),
      "path is needed",
      expect.stringMatching(/unsupported|switched it off|no such tool/i),
      "no language server answers that for this file",
    ]);
    expect(answers.join()).not.toContain("canary");
  });

  it("is available in a resumed thread and in a forked one", async () => {
    const { chat, model } = shared();
    const read = ["read_buffer", { path: "add.lua", first: 2 }] as const;
    expect(await ask(shared(), read)).toEqual(["-- not saved"]);
    await chat.command("sandbox stop");
    await expect.poll(() => chat.state("phase")).toBe("idle");
    expect(await ask(shared(), read)).toEqual(["-- not saved"]);
    await chat.nvim.lua(`vim.fn.search("^Looked", "w")`);
    await chat.adopt("fork");
    expect(await ask(shared(), read)).toEqual(["-- not saved"]);
    expect(model.requests.length).toBeGreaterThan(0);
  });

  it("includes whether unsaved text has been saved since", async () => {
    const { chat, model } = shared();
    expect(await ask(shared())).toEqual([]);
    await chat.nvim.lua(
      `for _, buf in ipairs(vim.api.nvim_list_bufs()) do
         if vim.api.nvim_buf_get_name(buf):match("add.lua$") then
           vim.api.nvim_buf_call(buf, function() vim.cmd("silent write!") end)
         end
       end`,
    );
    expect(await ask(shared())).toEqual([]);
    expect(model.requests[0]?.contains("The user has saved all changes, or dropped them.")).toBe(
      true,
    );
  });

  it("includes unsaved changes when a query is steered", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      request.userTexts().includes("And now?")
        ? reply(message("I see."))
        : reply(message("I look."), silence()),
    );
    await chat.send("Look.");
    await chat.until("I look.");
    await chat.nvim.lua(
      `local buf = vim.fn.bufadd("new.lua")
       vim.fn.bufload(buf)
       vim.api.nvim_buf_set_lines(buf, 0, -1, false, { "-- new" })`,
    );
    await chat.send("And now?");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains('"new.lua"')).toBe(true);
    await chat.nvim.command("bwipeout! new.lua");
  });
});
