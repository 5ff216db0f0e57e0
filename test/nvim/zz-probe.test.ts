import { describe, expect, it } from "vitest";
import { openChat } from "/work/main/test/support/chat.ts";
import { neovims } from "/work/main/test/support/neovim.ts";

describe.each(neovims)("probe $name", (program) => {
  it("type dd u u", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const settle = async () => {
      await nvim.lua("vim.wait(20)");
    };
    const log = async (what: string) =>
      process.stderr.write(
        `${program.name} ${what}: ${JSON.stringify(await chat.body())} ${JSON.stringify(await nvim.messages())}\n`,
      );
    await nvim.keys("hello<Esc>");
    await settle();
    await nvim.keys("onext<Esc>");
    await settle();
    await log("typed");
    await nvim.keys("dd");
    await settle();
    await log("dd");
    await nvim.keys("u");
    await settle();
    await log("u");
    await nvim.keys("u");
    await settle();
    await log("u");
    await nvim.keys("u");
    await settle();
    await log("u");
    await nvim.keys("ihello<Esc>ggdG");
    await settle();
    await log("ggdG");
    await nvim.keys("ix<Esc>");
    await settle();
    await log("x");
    await nvim.keys("u");
    await settle();
    await log("u");
    await nvim.keys("u");
    await settle();
    await log("u");
    await nvim.keys("u");
    await settle();
    await log("u");
    process.stderr.write(
      JSON.stringify(await nvim.lua("return vim.api.nvim_buf_get_lines(0,0,-1,false)")) + "\n",
    );
  });
  it("U", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const user = await chat.send("q");
    await nvim.keys("hello<Esc>");
    await nvim.lua("vim.wait(20)");
    await nvim.keys("xx");
    await nvim.lua("vim.wait(20)");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one", "two", "three"], gap: 1 });
    await nvim.keys("U");
    await nvim.lua("vim.wait(20)");
    process.stderr.write(JSON.stringify(await chat.body()) + "\n");
  });
});
