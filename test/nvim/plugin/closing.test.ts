import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovimHoldings } from "../../support/holdings.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("conversations that are closed in Neovim $name", (program) => {
  it("leave no autocommand, mark, handle or buffer behind", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    let opened = 1;
    const openAndClose = async () => {
      await nvim.command("CodexChat new");
      opened += 1;
      await host.heard("chat/open", opened);
      const buf = await nvim.buf();
      await nvim.command(`stopinsert | buffer ${chat.buf} | bwipeout! ${buf}`);
      await host.heard("chat/close", opened - 1);
    };
    const held = async () => {
      const { luaKb: _, ...counts } = await neovimHoldings(nvim);
      return Object.entries(counts);
    };
    // The first one loads what is loaded once.
    await openAndClose();
    const before = Object.fromEntries(await held());

    for (let n = 0; n < 3; n += 1) await openAndClose();

    // What was to come once may have come meanwhile.
    const grown = async () => (await held()).filter(([name, count]) => count > (before[name] ?? 0));
    await expect.poll(grown).toEqual([]);
  });
});
