import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { Conversation, type Shared, SLOW, share, WAIT } from "../support.ts";

/** Answers each menu of `vim.ui.select` with the entry that begins with one of these texts. */
async function choose(chat: Conversation, ...texts: readonly string[]): Promise<void> {
  await chat.nvim.lua(
    `local wanted = ...
     vim.ui.select = function(items, opts, done)
       for _, item in ipairs(items) do
         local line = (opts.format_item or tostring)(item)
         for _, text in ipairs(wanted) do
           if vim.startswith(line, text) then
             return vim.schedule(function() done(item) end)
           end
         end
       end
     end`,
    texts,
  );
}

/** What Codex has on disk of the conversation, by the directories below its home. */
async function memory(chat: Conversation, thread: string): Promise<string[]> {
  const files = await readdir(join(chat.projectDir, "codex-home"), { recursive: true });
  return files
    .filter((path) => basename(path).includes(thread) && path.endsWith(".jsonl"))
    .map((path) => path.split("/")[0] ?? "");
}

async function threadOf(chat: Conversation): Promise<string> {
  return /^thread: (\S+)$/m.exec(await chat.text())?.[1] ?? "";
}

/** Runs `:CodexChat` with a subcommand and waits until this is said. */
async function told(chat: Conversation, subcommand: string, text: string): Promise<void> {
  await chat.nvim.lua("_G.notified = {}");
  await chat.command(subcommand);
  await expect.poll(() => chat.notifications(), WAIT).toEqual([expect.stringContaining(text)]);
}

/** Opens from a list, and goes on in the conversation that has this path. */
async function reopen(chat: Conversation, list: string, path: string): Promise<void> {
  await chat.adopt(async () => {
    await chat.command(list);
    await expect.poll(() => chat.nvim.lua("return vim.api.nvim_buf_get_name(0)"), WAIT).toBe(path);
  });
}

describe("a conversation", SLOW, () => {
  const shared = share({ git: false });
  let thread = "";
  beforeEach(async () => {
    const { chat, model } = shared();
    model.answer((request) => reply(message(`Answer to: ${request.lastUserText()}`)));
    await chat.startAnew();
    expect(await chat.ask("My **name** is Ada.")).toEqual({ status: "completed" });
    thread = await threadOf(chat);
    await chat.untilSaved();
  });

  /** Asks again and looks whether the model is told of what was said before. */
  async function expectMemory({ chat, model }: Shared): Promise<void> {
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["My **name** is Ada.", "What is my name?"]);
    expect(await threadOf(chat)).toBe(thread);
  }

  it("is named after its first query, and in Codex too when it is renamed", async () => {
    const { chat } = shared();
    expect(await chat.text()).toContain("\nname: My name is Ada.\n");
    await told(chat, "rename About Ada", "is named “About Ada”");
    await chat.untilSaved();
    expect(await chat.fileText()).toContain("\nname: About Ada\n");
    const index = join(chat.projectDir, "codex-home", "session_index.jsonl");
    await expect.poll(() => readFile(index, "utf8").catch(() => ""), WAIT).toContain("About Ada");
    await expectMemory(shared());
  });

  it("is archived with Codex's memory, and continues when it is opened from there", async () => {
    const { chat } = shared();
    const path = await chat.path();
    expect(await memory(chat, thread)).toEqual(["sessions"]);
    await told(chat, "archive", "is archived");
    expect(await memory(chat, thread)).toEqual(["archived_sessions"]);
    await expect(readFile(path)).rejects.toThrow("ENOENT");
    await choose(chat, "My name is Ada.", "Open");
    await reopen(chat, "threads archived", join(dirname(path), "archive", basename(path)));
    await expectMemory(shared());
    expect(await memory(chat, thread)).toEqual(["sessions"]);
    await told(chat, "unarchive", "is back from the archive");
    await readFile(path);
  });

  it("is deleted with Codex's memory of it", async () => {
    const { chat } = shared();
    const path = await chat.path();
    await choose(chat, "Delete");
    await told(chat, "delete", "is deleted.");
    await expect(readFile(path)).rejects.toThrow("ENOENT");
    expect(await memory(chat, thread)).toEqual([]);
  });

  it("is kept in Codex's memory while a fork needs it, and no longer", async () => {
    const { chat, model } = shared();
    const [old, oldThread] = [await chat.path(), thread];
    await chat.adopt("fork");
    expect(await chat.ask("Go on.")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("\nname: My name is Ada. (fork)\n");
    const fork = await chat.path();
    await chat.nvim.lua("vim.cmd.edit(vim.fn.fnameescape(...))", old);
    await choose(chat, "Delete");
    await told(chat, "delete", "while a fork needs it");
    await expect(readFile(old)).rejects.toThrow("ENOENT");
    await choose(chat, "My name is Ada. (fork)");
    await chat.command("threads");
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", fork);
    expect(await chat.ask("Still there?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "My **name** is Ada.",
      "Go on.",
      "Still there?",
    ]);
    await choose(chat, "Delete");
    await told(chat, "delete", "is deleted.");
    expect(await readdir(join(chat.projectDir, "forget"))).toEqual([oldThread]);
    await chat.startAnew();
    await chat.command("sandbox stop");
    expect(await chat.ask("Hello.")).toEqual({ status: "completed" });
    await expect.poll(() => memory(chat, oldThread), WAIT).toEqual([]);
    await expect.poll(() => readdir(join(chat.projectDir, "forget")), WAIT).toEqual([]);
  });

  it("is remembered by another Neovim after it was renamed without a running sandbox", async () => {
    const { chat, model, place } = shared();
    const path = await chat.path();
    await chat.quit();
    await using next = await Conversation.open({ place, model });
    await next.open("new");
    await choose(next, "My name is Ada.");
    await next.nvim.lua("vim.ui.input = function(_, done) done('Another name') end");
    await told(next, "threads rename", "is named “Another name”");
    await choose(next, "Another name");
    await reopen(next, "threads", path);
    await expectMemory({ chat: next, model, place });
    expect(await next.text()).toContain("\nname: Another name\n");
  });
});
