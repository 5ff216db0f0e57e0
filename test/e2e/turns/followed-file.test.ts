import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { SLOW, share, WAIT } from "../support.ts";

describe("the window beside the chat", SLOW, () => {
  const shared = share({ git: false, config: { window: { follow: true } } });
  beforeEach(() => shared().chat.startAnew());

  it("follows the files that Codex reads and edits", async () => {
    const { chat, model, place } = shared();
    const { nvim } = chat;
    const beside = () =>
      nvim.lua(`return vim.tbl_map(function(win)
        local buf = vim.api.nvim_win_get_buf(win)
        return { vim.fs.basename(vim.api.nvim_buf_get_name(buf)), vim.api.nvim_win_get_cursor(win)[1] }
      end, vim.tbl_filter(function(win)
        return vim.w[win].codex_chat_follows
      end, vim.api.nvim_list_wins()))`);
    writeFileSync(join(place.project, "read.txt"), "one\n");
    writeFileSync(join(place.project, "edited.txt"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    model.answerInTurn(reply(exec("cat read.txt")), reply(message("Read.")));
    expect(await chat.ask("Read.")).toEqual({ status: "completed" });
    await expect.poll(beside, WAIT).toEqual([["read.txt", 1]]);

    const patch = "*** Begin Patch\n*** Update File: edited.txt\n@@\n 8\n-9\n+nine\n*** End Patch";
    model.answerInTurn(reply(applyPatch(patch)), reply(message("Edited.")));
    expect(await chat.ask("Edit.")).toEqual({ status: "completed" });
    await expect.poll(beside, WAIT).toEqual([["edited.txt", expect.any(Number)]]);
  });
});
