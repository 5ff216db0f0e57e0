import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("choosing when Codex asks, on Neovim $name", (program) => {
  it("offers the available policies, marks the current one, and accepts one by name", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.lua(`
      vim.notify = function(message) _G.said = message end
      vim.ui.select = function(items, opts, done)
        _G.menu = vim.tbl_map(opts.format_item, items)
        done(items[1])
      end`);

    await nvim.command("CodexChat approvals");
    const listed = await host.heard("action/run");
    expect(listed.name).toBe("approvals/list");
    const value = { current: "on-request", offered: ["never", "on-request"] };
    await host.editor.call.action_answer(listed.id, { ok: true, value });
    const set = await host.heard("action/run", 2);
    expect(set).toMatchObject({ name: "approvals/set", params: { policy: "never" } });
    expect(await nvim.lua("return _G.menu")).toEqual([
      "  never: runs everything without asking; the sandbox contains it",
      "● on-request: asks when the model wants your approval",
    ]);
    await host.editor.call.action_answer(set.id, { ok: true, value: true });
    await nvim.until(
      "_G.said",
      "codex-chat: from the next turn on Codex runs everything without asking; the sandbox contains it.",
    );

    await nvim.command("CodexChat approvals sometimes");
    const wrong = await host.heard("action/run", 3);
    expect(wrong.params).toEqual({ policy: "sometimes" });
    const message = "Approvals are never or on-request, not sometimes.";
    await host.editor.call.action_answer(wrong.id, { ok: false, message });
    await nvim.until("_G.said", `codex-chat: ${message}`);
  });
});
