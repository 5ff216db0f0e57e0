import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

const text = ["local a = 1", "print('é漢字 ü')", "```", "return a", "-- ````", "last line"].join(
  "\n",
);

describe.each(neovims)("a selection on Neovim $name", (program) => {
  async function start() {
    const host = await TestHost.start();
    const nvim = await startNeovim({ program, config: { host_cmd: host.command } });
    await writeFile(join(nvim.cwd, "a b.lua"), `${text}\n`);
    await nvim.command("edit a\\ b.lua | set filetype=lua");
    return {
      host,
      nvim,
      async [Symbol.asyncDispose]() {
        await nvim.close();
        await host.close();
      },
    };
  }

  it("of lines is sent with a question at once, and the user stays where they are", async () => {
    await using editor = await start();
    await editor.nvim.keys("Vj:CodexChat send what is this?<CR>");
    const { text: sent } = await editor.host.heard("turn/send");
    expect(sent).toBe(
      [
        "From `a b.lua` lines 1-2:",
        "",
        "```lua",
        "local a = 1",
        "print('é漢字 ü')",
        "```",
        "",
        "what is this?",
      ].join("\n"),
    );
    expect(await editor.nvim.lua("return vim.bo.filetype")).toBe("lua");
  });

  it("goes into the prompt if no question is given", async () => {
    await using editor = await start();
    await editor.nvim.command("CodexChat");
    await editor.nvim.keys("half typed<Esc>");
    await editor.nvim.until("vim.fn.getline('.')", "half typed");
    await editor.nvim.command("wincmd p");
    await editor.nvim.command("4CodexChat send");
    await expect.poll(() => editor.nvim.mode()).toBe("i");
    await editor.nvim.keys("why?<C-s>");
    expect((await editor.host.heard("turn/send")).text).toBe(
      [
        "half typed",
        "",
        "From `a b.lua` line 4:",
        "",
        "```lua",
        "return a",
        "```",
        "",
        "why?",
      ].join("\n"),
    );
  });

  it("of characters names its columns, counted in characters", async () => {
    await using editor = await start();
    await editor.nvim.keys("2Gf'lv2l:CodexChat send ?<CR>");
    expect((await editor.host.heard("turn/send")).text).toContain(
      "From `a b.lua` line 2, columns 8-10:\n\n```lua\né漢字\n```",
    );
    await editor.nvim.keys("1G06lv2Gl:CodexChat send ?<CR>");
    expect((await editor.host.heard("turn/send", 2)).text).toContain(
      "From `a b.lua` line 1 column 7 to line 2 column 8:\n\n```lua\na = 1\nprint('é\n```",
    );
  });

  it("of a block contains each line's part", async () => {
    await using editor = await start();
    await editor.nvim.keys("1G02l<C-v>j2l:CodexChat send ?<CR>");
    expect((await editor.host.heard("turn/send")).text).toContain(
      "From `a b.lua` lines 1-2, columns 3-5:\n\n```lua\ncal\nint\n```",
    );
  });

  it("is sent by a mapping in visual mode as well", async () => {
    await using editor = await start();
    await editor.nvim.lua("vim.keymap.set('x', 'gs', '<Plug>(codex-chat-send)')");
    await editor.nvim.keys("2Gf'lvgs");
    await editor.nvim.until("vim.bo.filetype", "codexchat");
    await expect.poll(() => editor.nvim.lines()).toContain("é");
  });

  it("has a fence longer than any in it, and a range like % counts as one", async () => {
    await using editor = await start();
    await editor.nvim.command("%CodexChat send ?");
    const { text: sent } = await editor.host.heard("turn/send");
    expect(sent).toBe(`From \`a b.lua\` lines 1-6:\n\n\`\`\`\`\`lua\n${text}\n\`\`\`\`\`\n\n?`);
  });

  it("says if the buffer has no file or has unsaved changes", async () => {
    await using editor = await start();
    await editor.nvim.keys("Goadded<Esc>");
    await editor.nvim.until("vim.fn.getline('.')", "added");
    await editor.nvim.command("7CodexChat send ?");
    expect((await editor.host.heard("turn/send")).text).toContain(
      "From `a b.lua` line 7 (with unsaved changes):",
    );
    await editor.nvim.command("enew!");
    await editor.nvim.command("1CodexChat send ?");
    expect((await editor.host.heard("turn/send", 2)).text).toContain(
      "From an unnamed buffer line 1 (not saved in a file):",
    );
  });
});
