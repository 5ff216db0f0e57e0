import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import {
  choose,
  conversation,
  offered,
  projectAt,
  prompts,
  put,
  said,
} from "../../support/conversations.ts";
import { neovims } from "../../support/neovim.ts";
import { itUnlessRoot } from "../../support/root.ts";

const quiet = { window: { startinsert: false } };

describe.each(neovims)("odd conversations on Neovim $name", (program) => {
  async function opened(config: Readonly<Record<string, unknown>> = {}) {
    const chat = await openChat({ program, config: { ...quiet, ...config } });
    return { chat, dir: dirname(chat.path), project: chat.nvim.cwd };
  }

  it("are listed by whatever can be read of them, and other files are left out", async () => {
    const { chat, dir, project } = await opened();
    await using _chat = chat;
    await mkdir(join(dir, "directory.md"), { recursive: true });
    await execa("mkfifo", [join(dir, "pipe.md")]);
    await symlink("/etc/passwd", join(dir, "link.md"));
    await put(dir, "empty.md", [], 1);
    await put(dir, "unclosed.md", ["---", "name: no", "", "## You", "", "Unclosed?"], 2);
    await put(dir, "broken.md", ["---", "name: [a", "- : {", "---", "## You", "", "Broken?"], 3);
    await put(
      dir,
      "list.md",
      ["---", "name: *x", "---", "# Mine", "## You", "", "---", "List?"],
      4,
    );
    await put(
      dir,
      "quoted.md",
      ["---", "name: 'It''s' # so", 'thread: "a\\u00e9"', "---", "## You", "", "Q"],
      5,
    );
    await put(dir, "fenced.md", ["## You", "```", "## Codex", "```", "Fenced?", "## Codex"], 6);
    await put(dir, "long.md", ["x".repeat(3_000_000), "## You", "", "y".repeat(9000)], 7);
    await put(dir, "bytes.md", ["---", "name: a\u0000b\u001b[2J\u202e", "---"], 8);
    await put(dir, `it's "odd" ${"🚀"}.md`, conversation({ project, query: "Odd name?" }), 9);
    await choose(chat, "Odd name");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => offered(chat))
      .toEqual([
        "empty  (1 min · 0 turns)",
        "Unclosed?  (2 min · 0 turns)",
        "Broken?  (3 min · 0 turns)",
        "List?  (4 min · 0 turns)",
        "It's  (5 min · 0 turns · Q)",
        "Fenced?  (6 min · 1 turn)",
        `${"y".repeat(59)}…  (7 min · 0 turns)`,
        "a b [2J  (8 min · 0 turns)",
        "Odd name?  (9 min · 1 turn)",
      ]);
    await chat.nvim.until("vim.fs.basename(vim.api.nvim_buf_get_name(0))", `it's "odd" 🚀.md`);
  });

  it("cause no error when they are removed or changed between list and choice", async () => {
    const { chat, dir } = await opened();
    await using _chat = chat;
    for (const [word, told] of [
      ["open", "is gone"],
      ["archive", "is gone: there is nothing to archive"],
      ["delete", "is gone: there is nothing to delete"],
      ["rename", "is gone: there is nothing to rename"],
    ] as const) {
      const path = await put(dir, "a.md", conversation({ query: "Short-lived?" }));
      await choose(chat, "nothing");
      await chat.nvim.lua(
        `vim.ui.input = function(_, done) done("x") end
         vim.ui.select = function(items, _, done) _G.later = function() done(items[1], 1) end end`,
      );
      await chat.nvim.command(`CodexChat threads ${word}`);
      await chat.nvim.until("_G.later ~= nil");
      await rm(path);
      await chat.nvim.lua("_G.later() _G.later = nil");
      await expect
        .poll(() => said(chat), { message: word })
        .toEqual([expect.stringContaining(told)]);
    }
    expect(await readdir(dir)).not.toContain("a.md");
  });

  itUnlessRoot(
    "are told of where they cannot be read, and never opened as empty ones",
    async () => {
      const { chat, dir } = await opened();
      await using _chat = chat;
      const path = await put(dir, "a.md", conversation({ query: "Secret?" }));
      await chmod(path, 0);
      await choose(chat, "a  (");
      await chat.nvim.command("CodexChat threads");
      await expect.poll(() => said(chat)).toEqual([expect.stringContaining("cannot be read")]);
    },
  );

  it("can be read when their project is gone", async () => {
    const { chat, project } = await opened();
    await using _chat = chat;
    const gone = join(project, "gone");
    const { chats } = await projectAt(chat, gone);
    const path = await put(chats, "x.md", conversation({ project: gone, query: "Long ago?" }), 2);
    await choose(chat, "Long ago");
    await chat.nvim.command("CodexChat! threads");
    await chat.nvim.until("vim.api.nvim_buf_get_name(0)", path);
    expect(await said(chat)).toEqual([expect.stringMatching(/its project \S+gone is gone/)]);
    await choose(chat, "Long ago", "Delete");
    await chat.nvim.command("CodexChat! threads delete");
    await expect.poll(async () => (await said(chat)).at(-1)).toContain("is deleted");
  });

  it("do not decide which project the agent can reach", async () => {
    const { chat, dir, project } = await opened();
    await using _chat = chat;
    const other = join(project, "other");
    await mkdir(other);
    await put(dir, "a.md", conversation({ project: other, query: "Forged?" }));
    const { chats } = await projectAt(chat, "/somewhere");
    await put(chats, "b.md", conversation({ project: other, query: "Forged too?" }), 2);
    await choose(chat, "Forged?");
    await chat.nvim.command("CodexChat! threads");
    await expect
      .poll(() => offered(chat))
      .toEqual([
        `Forged?  (${basename(project)} · 1 min · 1 turn)`,
        "Forged too?  (project unknown · 2 min · 1 turn)",
      ]);
    const root = "(require('codex-chat.registry').get(0) or { root = '' }).root";
    await chat.nvim.until(`vim.fs.basename(vim.api.nvim_buf_get_name(0))`, "a.md");
    expect(await chat.nvim.lua(`return ${root}`)).toBe(project);
    await choose(chat, "Forged too?");
    await chat.nvim.command("CodexChat! threads");
    await chat.nvim.until(`vim.fs.basename(vim.api.nvim_buf_get_name(0))`, "b.md");
    expect(await chat.nvim.lua(`return ${root}`)).toBe(project);
    expect(await said(chat)).toEqual([
      expect.stringContaining("is unknown, so it continues in this one"),
    ]);
  });

  it("are not moved through a symlink", async () => {
    const { chat, dir, project } = await opened();
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ query: "Archive me?" }));
    await symlink(project, join(dir, "archive"));
    await choose(chat, "Archive me?");
    await chat.nvim.command("CodexChat threads archive");
    await expect.poll(() => said(chat)).toEqual([expect.stringContaining("archive is a link")]);
    await readFile(path);
    expect(await readdir(project)).not.toContain("a.md");
  });

  it("are found in the project, from it and from others", async () => {
    const { chat, dir, project } = await opened({ history_dir: "notes/codex" });
    await using _chat = chat;
    expect(dir).toBe(join(project, "notes/codex"));
    await put(dir, "a.md", conversation({ project: "/forged", query: "In the project?" }));
    const { dir: state } = await projectAt(chat, project);
    await put(join(state, "chats"), "old.md", conversation({ query: "Before it was set?" }), 2);
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => offered(chat))
      .toEqual(["In the project?  (1 min · 1 turn)", "Before it was set?  (2 min · 1 turn)"]);
    const other = join(project, "other");
    await mkdir(join(other, ".git"), { recursive: true });
    await chat.nvim.lua("vim.cmd.enew(); vim.cmd.cd(...)", other);
    await choose(chat, "In the project");
    await chat.nvim.command("CodexChat! threads");
    await expect
      .poll(async () => (await offered(chat))?.[0])
      .toBe(`In the project?  (${basename(project)} · 1 min · 1 turn)`);
    await chat.nvim.until("(require('codex-chat.registry').get(0) or { root = '' }).root", project);
  });

  it("are told apart by their content if several projects share a directory", async () => {
    const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-notes-")));
    const shared = join(base, "notes");
    await using _dir = { [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
    const { chat, dir, project } = await opened({ history_dir: shared });
    await using _chat = chat;
    expect(dir).toBe(shared);
    const other = join(project, "other");
    await mkdir(other);
    await mkdir((await projectAt(chat, other)).dir, { recursive: true });
    await put(shared, "a.md", conversation({ project, query: "Ours with a needle?" }));
    await put(shared, "b.md", conversation({ project: other, query: "Theirs with a needle?" }), 2);
    await put(shared, "c.md", ["## You", "", "Whose?"], 3);
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(() => offered(chat))
      .toEqual(["Ours with a needle?  (1 min · 1 turn)", "Whose?  (3 min · 0 turns)"]);
    await chat.nvim.command("CodexChat search with a needle?");
    await chat.nvim.until("#vim.fn.getqflist()", 1);
    await choose(chat, "Theirs");
    await chat.nvim.command("CodexChat! threads");
    await chat.nvim.until("(require('codex-chat.registry').get(0) or { root = '' }).root", other);
    expect(await prompts(chat)).toHaveLength(1);
  });

  it("do not keep Neovim from exiting while they are read", async () => {
    const { chat, dir } = await opened();
    await using _chat = chat;
    const text = `${"## Codex\n\nwords\n".repeat(300_000)}`;
    await mkdir(dir, { recursive: true });
    for (let n = 0; n < 8; n++) await writeFile(join(dir, `${n}.md`), text);
    // Never answered: Neovim is gone by then.
    void chat.nvim.request("nvim_command", "CodexChat threads | qall!").catch(() => {});
    void chat.nvim.request("nvim_command", "qall!").catch(() => {});
    expect(await chat.nvim.exited).toBe(0);
  });
});
