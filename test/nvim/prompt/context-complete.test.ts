import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("completion while typing on Neovim $name", (program) => {
  /** A chat in a project of some files, with the cursor in its prompt, inserting. */
  async function typing(more: Readonly<Record<string, unknown>> = {}): Promise<OpenChat> {
    const chat = await openChat({ program, config: { window: { startinsert: false }, ...more } });
    const { cwd } = chat.nvim;
    await mkdir(join(cwd, "src"));
    for (const name of ["src/add.lua", "src/subtract.lua", "src/deep address.lua", "notes.txt"])
      await writeFile(join(cwd, name), "");
    await execa("git", ["init", "-q"], { cwd });
    await chat.nvim.keys("Gi");
    await expect.poll(() => chat.nvim.mode()).toBe("i");
    await files(chat, 4);
    return chat;
  }

  const files = (chat: OpenChat, count: number) =>
    expect
      .poll(() =>
        chat.nvim.lua(
          "return #require('codex-chat.context.files').list(require('codex-chat.registry').get(...).root)",
          chat.buf,
        ),
      )
      .toBe(count);
  const menu = (chat: OpenChat) =>
    chat.nvim.lua<string[]>(
      `local info = vim.fn.complete_info({ "items", "pum_visible" })
       return info.pum_visible == 1 and vim.tbl_map(function(it) return it.word end, info.items) or {}`,
    );
  const line = (chat: OpenChat) => chat.nvim.lua<string>("return vim.api.nvim_get_current_line()");

  it("matches again on every key, and inserts nothing on its own", async () => {
    await using chat = await typing();
    const before = await chat.nvim.lua("return vim.o.completeopt");
    await chat.nvim.keys("see @");
    await expect.poll(() => menu(chat)).toContain("@selection");
    await chat.nvim.keys("d");
    await expect.poll(() => menu(chat)).toContain("@diagnostics:project");
    expect(await menu(chat)).toContain("@src/add.lua");
    await chat.nvim.keys("d");
    await expect.poll(() => menu(chat)).toEqual(["@src/add.lua", '@"src/deep address.lua"']);
    expect(await line(chat)).toBe("see @dd");
    await chat.nvim.keys("x");
    await expect.poll(() => menu(chat)).toEqual([]);
    await chat.nvim.keys("<BS>");
    await expect.poll(() => menu(chat)).toHaveLength(2);
    expect(await line(chat)).toBe("see @dd");
    expect(await chat.nvim.lua("return vim.o.completeopt")).toBe(before);
  });

  it("inserts what is chosen, and then leaves it alone", async () => {
    await using chat = await typing();
    await chat.nvim.keys("@dd");
    await expect.poll(() => menu(chat)).toHaveLength(2);
    await chat.nvim.keys("<C-n><C-n>");
    await expect.poll(() => line(chat)).toBe('@"src/deep address.lua"');
    expect(await menu(chat)).toHaveLength(2);
    await chat.nvim.keys("<C-y> and");
    await expect.poll(() => line(chat)).toBe('@"src/deep address.lua" and');
    expect(await menu(chat)).toEqual([]);
  });

  it("continues inside quotes, and offers nothing that is already there", async () => {
    await using chat = await typing();
    await chat.nvim.keys('@"src/deep ad');
    await expect.poll(() => menu(chat)).toEqual(['@"src/deep address.lua"']);
    await chat.nvim.keys("<C-u>@notes.txt");
    await expect.poll(() => line(chat)).toBe("@notes.txt");
    await expect.poll(() => menu(chat)).toEqual([]);
  });

  it("offers the project's skills after $ and a slash, and nothing if there are none", async () => {
    await using chat = await typing();
    await chat.nvim.keys("$ti");
    await expect.poll(() => line(chat)).toBe("$ti");
    expect(await menu(chat)).toEqual([]);
    const dir = join(chat.nvim.cwd, ".agents/skills/tidy");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "SKILL.md"), "---\nname: tidy-up\ndescription: Tidies\n---\nTidy.\n");
    await chat.nvim.keys("d");
    await expect.poll(() => menu(chat)).toEqual(["$tidy-up"]);
    await chat.nvim.keys("<C-u>/skill:");
    await expect.poll(() => menu(chat)).toEqual(["/skill:tidy-up"]);
  });

  it("offers the user's own skills after the project's of the same name", async () => {
    const own = await mkdtemp(join(tmpdir(), "codex-chat-skills-"));
    onTestFinished(() => rm(own, { recursive: true, force: true }));
    for (const [at, about] of [
      ["mine", "of mine"],
      ["tidy", "of mine"],
    ] as const) {
      await mkdir(join(own, at));
      const text = `---\nname: ${at}\ndescription: ${about}\n---\n`;
      await writeFile(join(own, at, "SKILL.md"), text);
    }
    await using chat = await typing({ skills_dirs: [own, "/nowhere"] });
    const dir = join(chat.nvim.cwd, ".agents/skills/tidy");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "SKILL.md"), "---\nname: tidy\ndescription: of theirs\n---\n");
    await chat.nvim.keys("$");
    await expect.poll(() => menu(chat)).toEqual(["$mine", "$tidy"]);
    const of = (name: string) =>
      chat.nvim.lua("return require('codex-chat.context.skill').get(...)", chat.nvim.cwd, name);
    expect(await of("tidy")).toMatchObject({ description: "of theirs" });
    expect(await of("mine")).toMatchObject({ path: join(own, "mine/SKILL.md") });
  });

  it("works only by key if switched off, and not above the prompt", async () => {
    await using chat = await typing({ completion: { auto: false } });
    await chat.nvim.keys("see @add");
    await expect.poll(() => line(chat)).toBe("see @add");
    expect(await menu(chat)).toEqual([]);
    await chat.nvim.keys("<C-x><C-o>");
    await expect.poll(() => line(chat)).toBe("see @src/add.lua");
    await chat.nvim.keys("<Esc>ggO@add<C-x><C-o>");
    await expect.poll(() => line(chat)).toBe("@add");
  });

  // What is looked at of blink.cmp and nvim-cmp, as they have it.
  const blink = `
    config = { enabled = true, sources = { providers = { buffer = { module = "blink.cmp.sources.buffer" } } } }
    ids = { "buffer" }
    package.loaded["blink.cmp.config"] = config
    package.loaded["blink.cmp.sources.lib"] = { get_enabled_provider_ids = function() return ids end }
    package.loaded["blink.cmp.completion.trigger"] = { buffer_events = {} }
    package.loaded["blink.cmp"] = {
      is_enabled = function() return config.enabled end,
      add_source_provider = function(id, source)
        assert(not config.sources.providers[id])
        config.sources.providers[id] = source
      end,
      add_filetype_source = function(filetype, id)
        assert(filetype == "codexchat")
        ids[#ids + 1] = id
      end,
    }`;
  const cmp = `
    registered = {}
    local buffers = {}
    global = { enabled = function() return true end, sources = { { name = "buffer" } } }
    package.loaded["cmp.config"] = {
      buffers = buffers,
      get = function()
        return vim.tbl_extend("force", global, buffers[vim.api.nvim_get_current_buf()] or {})
      end,
    }
    package.loaded["cmp"] = {
      core = { view = { visible = function() return shown end } },
      get_registered_sources = function() return registered end,
      register_source = function(name, source)
        registered[#registered + 1] = { name = name, source = source }
      end,
      setup = { buffer = function(own) buffers[vim.api.nvim_get_current_buf()] = own end },
    }`;

  it.each([
    [
      "blink.cmp",
      blink,
      "vim.tbl_map(function(id) return config.sources.providers[id].module end, ids)",
    ],
    [
      "nvim-cmp",
      cmp,
      "vim.tbl_map(function(it) return it.name end, require('cmp.config').get().sources)",
    ],
  ])(
    "leaves the menu to %s, and registers our source if it is missing",
    async (name, plugin, sources) => {
      await using chat = await typing();
      const { nvim } = chat;
      await nvim.keys("<Esc>");
      await nvim.lua(plugin);
      // Begins again with each InsertEnter, and adds it once.
      for (const _ of [1, 2]) {
        await nvim.keys("A");
        await nvim.until("vim.fn.mode()", "i");
        await nvim.keys("<Esc>");
        await nvim.until("vim.fn.mode()", "n");
      }
      const ours =
        name === "blink.cmp"
          ? ["blink.cmp.sources.buffer", "codex-chat.complete.blink"]
          : ["codex_chat", "buffer"];
      expect(await nvim.lua(`return ${sources}`)).toEqual(ours);
      await nvim.keys("A@ad");
      await expect.poll(() => line(chat)).toBe("@ad");
      expect(await menu(chat)).toEqual([]);
    },
  );

  it("has blink.cmp put mentions above words of the text", async () => {
    await using chat = await typing();
    await chat.nvim.keys("<Esc>");
    await chat.nvim.lua(blink);
    await chat.nvim.keys("A");
    // Its sources have 0, -3 (words) and 10 (commands).
    await chat.nvim.until("(config.sources.providers.codex_chat or {}).score_offset", 100);
  });

  it.each([
    ["is loaded and not set up", "package.loaded['blink.cmp'] = {} package.loaded['cmp'] = {}"],
    ["is switched off there", `${blink} config.enabled = false`],
    [
      "is of a version with another API",
      `${blink} package.loaded["blink.cmp"].add_source_provider = nil`,
    ],
  ])("is ours if another plugin %s", async (_name, plugin) => {
    await using chat = await typing();
    await chat.nvim.lua(plugin);
    await chat.nvim.keys("@ad");
    await expect.poll(() => menu(chat)).toContain("@src/add.lua");
    expect(await chat.nvim.messages()).toBe("");
  });

  it("is ours even if Neovim opens its own menu of words", async () => {
    await using chat = await typing();
    const { nvim } = chat;
    // Neovim 0.10 has no such option.
    await nvim.command("silent! set autocomplete");
    await nvim.keys("address @ad");
    await expect.poll(() => menu(chat)).toContain("@src/add.lua");
    await nvim.keys("d");
    await expect.poll(async () => (await menu(chat))[0]).toBe("@src/add.lua");
    await nvim.keys("<C-n><C-y> adr");
    await expect.poll(() => line(chat)).toBe("address @src/add.lua adr");
    if (program.name === "0.12") {
      await nvim.keys("<BS>d");
      await expect.poll(() => menu(chat)).toContain("address");
    }
  });

  it.each([
    [
      "blink.cmp",
      `${blink} package.loaded["blink.cmp.completion.windows.menu"] = {} package.loaded["blink.cmp"].is_menu_visible = function() return shown end`,
    ],
    ["nvim-cmp", cmp],
  ])("delays the answer for an open menu of %s, for a limited time", async (_name, plugin) => {
    await using chat = await typing();
    const { nvim } = chat;
    await nvim.lua(plugin);
    await nvim.lua("vim.opt_local.omnifunc = ''");
    // The clock stands still: how long a key keeps the answer back does not depend on this machine.
    await nvim.lua("clock = vim.uv.now() vim.uv.now = function() return clock end");
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["begun"], gap: 1 });
    const more = (text: string) => chat.edit({ op: "append", id: "a", text: `\n${text}` });
    const has = async (text: string) => (await nvim.lines(chat.buf)).includes(text);
    await nvim.keys("Ax");
    await nvim.until("vim.api.nvim_get_current_line():find('x') ~= nil");
    // A menu comes a moment after the key.
    await more("one");
    expect(await has("one")).toBe(false);
    await nvim.lua("shown = true");
    await more("two");
    const row = (await nvim.cursor())[0];
    expect([await has("one"), (await nvim.cursor())[0]]).toEqual([false, row]);
    // What is chosen goes where the menu saw the word; then the answer goes on by itself.
    await nvim.lua(
      "vim.api.nvim_buf_set_text(0, ... - 1, 0, ... - 1, 1, { 'chosen' }) shown = false",
      row,
    );
    await nvim.lua("clock = clock + 1000");
    await expect.poll(() => has("two")).toBe(true);
    expect(await has("one")).toBe(true);
    expect(await line(chat)).toContain("chosen");
    // One that stays open does not hold it for ever.
    await nvim.lua("shown = true");
    await more("three");
    expect(await has("three")).toBe(false);
    await nvim.lua("clock = clock + 30000");
    await expect.poll(() => has("three")).toBe(true);
  });

  it("finds the best of 50,000 files, exact names first", async () => {
    await using chat = await typing();
    const best = (typed: string) =>
      chat.nvim.lua<string[]>(
        `local names = {}
         for i = 1, 50000 do
           names[i] = ("packages/module%d/src/components/widget%d/index.ts"):format(i % 300, i)
         end
         names[#names + 1] = "src/wheel.ts"
         return require("codex-chat.complete.rank").best(names, ..., 3)`,
        typed,
      );
    expect((await best("wheel"))[0]).toBe("src/wheel.ts");
    expect((await best("srcwhl"))[0]).toBe("src/wheel.ts");
    expect((await best("widget49999"))[0]).toContain("/widget49999/");
    expect(await best("nothing like it")).toEqual([]);
  });
});

describe.each(neovims)("the list of files on Neovim $name", (program) => {
  it("includes submodules and repositories below, new files and odd names, but no deleted files", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    const { cwd, home } = chat.nvim;
    const git = (dir: string, ...args: string[]) =>
      execa(
        "git",
        ["-c", "protocol.file.allow=always", "-c", "user.name=n", "-c", "user.email=e@x", ...args],
        { cwd: dir, env: { HOME: home } },
      );
    const library = join(home, "library");
    await mkdir(join(library, "src"), { recursive: true });
    await writeFile(join(library, "src/part.lua"), "");
    await git(library, "init", "-q");
    await git(library, "add", ".");
    await git(library, "commit", "-qm", "x");
    await git(cwd, "init", "-q");
    await git(cwd, "submodule", "add", "-q", library, "vendor/sub");
    for (const name of ["tracked.lua", "gone.lua", "moved.lua"])
      await writeFile(join(cwd, name), "");
    await writeFile(join(cwd, ".gitignore"), "ignored.lua\n");
    await git(cwd, "add", ".");
    await git(cwd, "commit", "-qm", "x");
    await git(cwd, "clone", "-q", library, "nested");
    await rm(join(cwd, "gone.lua"));
    for (const name of [
      "new file.lua",
      "größe 漢字.lua",
      "ignored.lua",
      "vendor/sub/src/fresh.lua",
    ])
      await writeFile(join(cwd, name), "");
    await chat.nvim.keys("Gi");
    const offered = (typed: string) =>
      chat.nvim.lua<string[]>(
        `local chat, typed = require("codex-chat.registry").get((...)), select(2, ...)
         local _, items = require("codex-chat.complete.items").at(chat, typed)
         return vim.tbl_map(function(it) return it.word end, items)`,
        chat.buf,
        typed,
      );
    await expect
      .poll(() => offered("@part"))
      .toEqual(["@nested/src/part.lua", "@vendor/sub/src/part.lua"]);
    expect(await offered("@fresh")).toEqual(["@vendor/sub/src/fresh.lua"]);
    expect(await offered("@new")).toContain('@"new file.lua"');
    expect(await offered("@größe")).toEqual(['@"größe 漢字.lua"']);
    expect(await offered("@gone.lua")).not.toContain("@gone.lua");
    expect(await offered("@ignored.lua")).not.toContain("@ignored.lua");
    // At once, though the list is kept for a while; and what the agent makes is looked for anew.
    expect(await offered("@moved.lua")).toContain("@moved.lua");
    await rm(join(cwd, "moved.lua"));
    expect(await offered("@moved.lua")).not.toContain("@moved.lua");
    await writeFile(join(cwd, "made by agent.lua"), "");
    await chat.host.editor.call.buf_reload({ root: cwd });
    await expect.poll(() => offered("@made")).toContain('@"made by agent.lua"');
    expect(await offered("@vendor/sub")).not.toContain("@vendor/sub");
  });

  it("includes every file, even ignored ones, without git and ripgrep, as :checkhealth says", async () => {
    await using chat = await openChat({
      program,
      // Nothing but the shell's own: neither git nor ripgrep.
      env: { PATH: "/nowhere" },
      config: { window: { startinsert: false } },
    });
    const { cwd } = chat.nvim;
    for (const dir of ["lib/inner", "node_modules/x"])
      await mkdir(join(cwd, dir), { recursive: true });
    await writeFile(join(cwd, ".gitignore"), "*.log\n");
    for (const name of ["a.lua", "a.log", "node_modules/x/i.js", "lib/inner/c.lua"])
      await writeFile(join(cwd, name), "");
    const list = () =>
      chat.nvim.lua(
        "return require('codex-chat.context.files').list(require('codex-chat.registry').get(...).root)",
        chat.buf,
      );
    await expect.poll(list).toEqual([".gitignore", "a.log", "a.lua", "lib/inner/c.lua"]);
    const health = `vim.cmd("silent checkhealth codex-chat")
      return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), " ")`;
    expect(await chat.nvim.lua(health)).toContain("Neither git nor ripgrep was found");
  });
});
