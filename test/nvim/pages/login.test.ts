import { describe, expect, it } from "vitest";
import { type OpenChat as Chat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const task = { url: "https://auth.example.org/authorize?state=1" };

/** Chooses the n-th of what is asked, and keeps what would be opened and said. */
async function choosing(chat: Chat, n: number): Promise<void> {
  await chat.nvim.lua(
    `local n = ...
     _G.opened, _G.said, _G.prompts = {}, {}, {}
     vim.ui.select = function(items, opts, done)
       table.insert(_G.prompts, opts.prompt)
       done(items[n], items[n] and n)
     end
     vim.ui.open = function(url) table.insert(_G.opened, url); return nil, nil end
     vim.notify = function(message) table.insert(_G.said, message) end`,
    n,
  );
}

const kept = (chat: Chat, name: string) => chat.nvim.lua<string[]>(`return _G[...]`, name);

/** The n-th action that the host was asked for, answered with a value. */
async function answer(chat: Chat, n: number, value: object): Promise<string> {
  const asked = await chat.host.heard("action/run", n);
  await chat.host.editor.call.action_answer(asked.id, { ok: true, value });
  return asked.name;
}

describe.each(neovims)("logging in on Neovim $name", (program) => {
  it("shows the address, opens it only on request, and says who is logged in", async () => {
    await using chat = await openChat({ program });
    await choosing(chat, 1);
    const windows = () => chat.nvim.lua<number>("return #vim.api.nvim_list_wins()");
    const before = await windows();

    await chat.nvim.command("CodexChat login browser");
    const asked = await chat.host.heard("action/run");
    expect(asked).toMatchObject({ name: "login/start", params: { way: "browser" } });
    expect(await kept(chat, "opened")).toEqual([]);
    await answer(chat, 1, task);
    await expect.poll(() => kept(chat, "opened")).toEqual([task.url]);
    expect(await kept(chat, "prompts")).toEqual(["Log in to ChatGPT: https://auth.example.org"]);
    expect((await chat.nvim.lines(await chat.nvim.buf())).join("\n")).toContain(task.url);

    const who = { email: "someone@example.org", plan: "plus", isUsed: false };
    expect(await answer(chat, 2, who)).toBe("login/finish");
    await expect
      .poll(async () => (await kept(chat, "said")).at(-1))
      .toBe(
        'codex-chat: logged in as someone@example.org (plus). Set `auth = "login"` in the configuration to use it.',
      );
    expect(await windows()).toBe(before);
  });

  it("shows a device code, and opens nothing unasked", async () => {
    await using chat = await openChat({ program });
    await choosing(chat, 3);
    await chat.nvim.command("CodexChat login device");
    await answer(chat, 1, { ...task, code: "ABCD-1234" });
    await chat.host.heard("action/run", 2);
    const page = (await chat.nvim.lines(await chat.nvim.buf())).join("\n");
    expect(page).toContain("Then enter this code: **ABCD-1234**");
    expect(await kept(chat, "opened")).toEqual([]);
  });

  it("accepts a code if the browser is on another machine", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.lua("vim.env.SSH_CONNECTION = '10.0.0.1 1 10.0.0.2 22'");
    await chat.nvim.command("CodexChat login");
    expect(await chat.host.heard("action/run")).toMatchObject({ params: { way: "device" } });
  });

  it("reports a failure, can be cancelled, and rejects other words", async () => {
    await using chat = await openChat({ program });
    await choosing(chat, 3);
    await chat.nvim.command("CodexChat login device");
    const asked = await chat.host.heard("action/run");
    await chat.host.editor.call.action_answer(asked.id, { ok: false, message: "No network." });
    await expect
      .poll(async () => (await kept(chat, "said")).at(-1))
      .toBe("codex-chat: No network.");
    await chat.nvim.command("CodexChat login cancel");
    expect(await chat.host.heard("action/run", 2)).toMatchObject({ name: "login/cancel" });
    await chat.nvim.command("CodexChat login please");
    expect((await kept(chat, "said")).at(-1)).toContain("takes browser, device or cancel");
  });

  it("logs out", async () => {
    await using chat = await openChat({ program });
    await choosing(chat, 3);
    await chat.nvim.command("CodexChat logout");
    expect(await answer(chat, 1, { was: "someone@example.org" })).toBe("login/end");
    await expect
      .poll(async () => (await kept(chat, "said")).at(-1))
      .toBe("codex-chat: logged out someone@example.org.");
  });
});
