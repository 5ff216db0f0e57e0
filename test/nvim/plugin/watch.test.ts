import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("following a buffer on Neovim $name", (program) => {
  it("delivers its text and then every change, including the host's own", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    const lines: string[] = [];
    let detached = 0;
    const watch = await host.editor.watchBuffer(chat.buf, {
      onLines: (first, last, fresh) => lines.splice(first, last - first, ...fresh),
      onDetach: () => {
        detached += 1;
      },
    });
    if (!watch.ok) throw new Error(watch.error.message);
    lines.push(...watch.value.lines);
    expect(lines).toEqual(await nvim.lines(chat.buf));
    const user = await chat.send("é漢字\nsecond");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one", "two"], gap: 1 });
    await nvim.keys("typed<CR>more<Esc>kdd");
    await expect.poll(() => lines.at(-1)).toBe("more");
    await expect.poll(() => lines).toEqual(await nvim.lines(chat.buf));
    expect(detached).toBe(0);
    await nvim.command(`bwipeout! ${chat.buf}`);
    await expect.poll(() => detached).toBe(1);
  });

  it("leaves out the preview that 'inccommand' shows while a command is typed", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 24 } });
    const { nvim, host } = chat;
    const heard: (readonly string[])[] = [];
    await host.editor.watchBuffer(chat.buf, {
      onLines: (_first, _last, fresh) => heard.push(fresh),
      onDetach() {},
    });
    await nvim.keys("<Esc>:%s/You/Me");
    await nvim.untilShown("Me");
    await nvim.keys("<Esc>$ione");
    await expect.poll(() => heard.at(-1)).toEqual(["one"]);
    expect(heard.flat().filter((line) => line.includes("##"))).toEqual([]);
  });

  it("can start again, and then only the new listener is called", async () => {
    await using chat = await openChat({ program });
    const heard: string[] = [];
    const listen = (name: string) =>
      chat.host.editor.watchBuffer(chat.buf, {
        onLines: () => heard.push(name),
        onDetach: () => heard.push(`${name} ends`),
      });
    await listen("first");
    const second = await listen("second");
    expect(second.ok && second.value.lines).toEqual(await chat.nvim.lines(chat.buf));
    await chat.nvim.keys("x");
    await expect.poll(() => heard).toEqual(["second"]);
    expect(await chat.host.editor.watchBuffer(99, { onLines() {}, onDetach() {} })).toMatchObject({
      ok: false,
    });
  });
});
