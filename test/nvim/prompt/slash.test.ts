import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("what is typed after a slash on Neovim $name", (program) => {
  const type = async (chat: OpenChat, text: string) => {
    await chat.nvim.lua(
      `local buf, text = ...
       vim.api.nvim_buf_set_lines(buf, -2, -1, false, { text })
       require("codex-chat.commands.query.send").send(require("codex-chat.registry").get(buf))`,
      chat.buf,
      text,
    );
  };

  it("is a command, which does not stay in the prompt", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await type(chat, "/stop");
    await chat.host.heard("turn/interrupt");
    await type(chat, "/model some-model high");
    expect((await chat.host.heard("action/run")).params).toEqual({
      model: "some-model",
      effort: "high",
    });
    // As in a new conversation.
    expect(await chat.body()).toEqual(["## You", ""]);
    expect(chat.host.of("turn/send")).toEqual([]);
  });

  it("is a prompt from the plugin, the configuration or a file", async () => {
    await using chat = await openChat({
      program,
      config: {
        window: { startinsert: false },
        prompts: { hi: "Say hi to {input}!", fix: "Mend." },
      },
    });
    const dir = join(chat.nvim.home, "config/nvim/codex-chat/prompts");
    const config = await chat.nvim.lua<string>("return vim.fn.stdpath('config')");
    await mkdir(join(config, "codex-chat/prompts"), { recursive: true });
    await writeFile(
      join(config, "codex-chat/prompts/mine.md"),
      "---\ndescription: Mine\n---\nFrom a file.\n\n{input}\n",
    );
    expect(dir).toBeTruthy();
    const describe = "return require('codex-chat.prompt.templates').description(...)";
    for (const [name, about] of Object.entries({
      test: "write tests in the style of the existing ones, and run them",
      mine: "Mine",
      hi: "prompt",
      fix: "prompt",
    }))
      expect(await chat.nvim.lua(describe, name)).toBe(about);
    // What a function gives, and what stands in braces is not looked at twice.
    await chat.nvim.lua(
      `local prompts = vim.g.codex_chat.prompts
       prompts.made = function(words) return words.input:upper() .. "!" end
       require("codex-chat").setup(vim.tbl_extend("force", vim.g.codex_chat, { prompts = prompts }))`,
    );
    for (const text of ["/hi all of {file}", "/fix", "/mine", "/made up"]) await type(chat, text);
    await chat.host.heard("turn/send", 4);
    expect(chat.host.of("turn/send").map((turn) => turn.text)).toEqual([
      "Say hi to all of {file}!",
      "Mend.",
      "From a file.",
      "UP!",
    ]);
  });

  it("is text if it is a path or has several lines, and refused if unknown", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await chat.nvim.lua("_G.said = {}; vim.notify = function(m) table.insert(_G.said, m) end");
    await type(chat, "/etc/hosts is what?");
    expect((await chat.host.heard("turn/send")).text).toBe("/etc/hosts is what?");
    await type(chat, "/nonsense");
    await type(chat, "/compct");
    expect(await chat.nvim.lua("return _G.said")).toEqual([
      expect.stringContaining("no command /nonsense"),
      expect.stringContaining("no command /compct; did you mean /compact?"),
    ]);
    expect(chat.host.of("turn/send")).toHaveLength(1);
    await chat.nvim.lua("vim.api.nvim_buf_set_lines(..., -2, -1, false, { '' })", chat.buf);
    await type(chat, "//compact is what?");
    expect((await chat.host.heard("turn/send", 2)).text).toBe("/compact is what?");
    expect((await chat.body()).join("\n")).toContain("//compact is what?");
  });

  it("is a project skill, as after a $", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    const path = join(chat.nvim.cwd, ".agents/skills/tidy/SKILL.md");
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "---\nname: tidy-up\ndescription: Tidies.\n---\nTidy.\n");
    await type(chat, "/skill:tidy-up the barn");
    const told = {
      text: "$tidy-up the barn",
      context: [{ skill: { name: "tidy-up", path } }],
    };
    expect(await chat.host.heard("turn/send")).toMatchObject(told);
    expect(await chat.body()).toContain("> **Context:** skill tidy-up");
    await type(chat, "($tidy-up, not $HOME)");
    expect((await chat.host.heard("turn/send", 2)).context).toEqual(told.context);
  });

  it("has mappings for the whole buffer and for the preview", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await writeFile(join(chat.nvim.cwd, "x.lua"), "one\ntwo\n");
    await chat.nvim.command("wincmd p | edit x.lua");
    await chat.nvim.type("<Plug>(codex-chat-send-buffer)");
    const quoted = ["From `x.lua` lines 1-2:", "", "```lua", "one", "two", "```"];
    await expect.poll(() => chat.body()).toEqual(expect.arrayContaining([...quoted, "", ""]));
    await chat.nvim.type("<Esc><Plug>(codex-chat-preview)");
    expect(await chat.nvim.lines()).toEqual(quoted);
    expect(chat.host.of("turn/send")).toEqual([]);
  });

  it("is shown by preview, and not sent", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await writeFile(join(chat.nvim.cwd, "x.lua"), "one\ntwo\n");
    await chat.nvim.command("CodexChat preview What is nothing?");
    await chat.nvim.command("CodexChat preview What is @x.lua#L2?");
    // In place of the first, not beside it.
    expect(await chat.nvim.lua("return #vim.api.nvim_list_wins()")).toBe(3);
    expect(await chat.nvim.lua("return vim.fn.bufname()")).toBe("codex-chat://preview");
    expect(await chat.nvim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")).toEqual([
      "What is @x.lua#L2?",
      "",
      "## x.lua line 2",
      "",
      "x.lua line 2:",
      "",
      "```lua",
      "two",
      "```",
    ]);
    expect(chat.host.of("turn/send")).toEqual([]);
  });
});
