import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** A conversation in which a program in the sandbox waits for a host. */
async function asked(chat: OpenChat): Promise<void> {
  const user = await chat.send("go on");
  await chat.edit({
    op: "insert",
    id: "q1",
    after: user,
    lines: ["**Asks** to reach `example.org:443`"],
    gap: 1,
  });
  await chat.host.editor.call.buf_set_approval(chat.buf, {
    id: "network:1",
    block: "q1",
    kind: "network",
    choices: ["accept", "accept_session", "accept_project", "decline", "cancel"],
  });
}

const goThere = 'vim.fn.search("^\\\\*\\\\*Asks", "w")';

describe.each(neovims)("a question about a host on Neovim $name", (program) => {
  const screen = { columns: 250, rows: 30 };

  it("shows what each key allows, and for how long", async () => {
    await using chat = await openChat({ program, screen });
    await asked(chat);
    await chat.nvim.untilShown(
      / a {2}in this turn {4}s {2}always in this chat {4}p {2}always in this project[\s\S]* d {2}no, because …[\s\S]* c {2}no, and stop/,
    );
  });

  it.each([
    ["a", "accept"],
    ["s", "accept_session"],
    ["p", "accept_project"],
    ["c", "cancel"],
  ])("is answered by %s on its line", async (key, decision) => {
    await using chat = await openChat({ program });
    await asked(chat);
    await chat.nvim.keys("<Esc>");
    await chat.nvim.lua(goThere);
    await chat.nvim.keys(key);
    expect(await chat.host.heard("approval/answer")).toMatchObject({ id: "network:1", decision });
  });

  it("leaves p alone on a question without such an answer, and is answered by a command", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await asked(chat);
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "network:1", remove: true });
    await chat.host.editor.call.buf_set_approval(chat.buf, {
      id: "c",
      block: "q1",
      kind: "command",
      choices: ["accept", "accept_session", "decline", "cancel"],
    });
    await nvim.keys("<Esc>");
    await nvim.lua(goThere);
    await nvim.keys("p");
    await nvim.command("CodexChat accept-project");
    expect(await nvim.messages()).toContain("cannot be answered with accept for this project");
    expect(chat.host.of("approval/answer")).toEqual([]);
  });
});

describe.each(neovims)(":CodexChat network on Neovim $name", (program) => {
  const allowed = { config: ["npm"], project: ["a.org"], conversation: ["b.org:8443"], ask: true };

  it("lists what is allowed and by whom, and completes what can be forgotten", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.command("CodexChat network");
    const { id } = await host.heard("action/run");
    await host.editor.call.action_answer(id, { ok: true, value: allowed });
    await nvim.until("vim.bo.filetype", "codexchatpage");
    const page = (await nvim.lines(await nvim.buf())).join("\n");
    expect(page).toContain("- `npm` by the configuration (network.allow)");
    expect(page).toContain("- `a.org` in this project");
    expect(page).toContain("- `b.org:8443` in this conversation");
    const words = await nvim.lua<string[]>(
      `return vim.fn.getcompletion("CodexChat network ", "cmdline")`,
    );
    expect(words).toEqual(["forget", "a.org", "b.org:8443"]);
  });

  it("forgets a host, and reports one that it does not know", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.command("CodexChat network forget a.org");
    const { id, name, params } = await host.heard("action/run");
    expect({ name, params }).toEqual({ name: "network/forget", params: { entry: "a.org" } });
    await host.editor.call.action_answer(id, { ok: true, value: true });
    await expect.poll(() => nvim.messages()).toContain("a.org is no longer allowed");
    await expect(nvim.command("CodexChat network allow a.org")).rejects.toThrow(
      "use `:CodexChat network` or",
    );
  });
});
