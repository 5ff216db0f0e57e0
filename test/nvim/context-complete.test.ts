import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { type OpenChat, openChat } from "../support/chat.ts";
import { neovims } from "../support/neovim.ts";

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

  it("matches anew with every key, and puts nothing in by itself", async () => {
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

  it("puts in what is chosen, and leaves it alone", async () => {
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

  it("goes on within quotes, and offers nothing that stands there already", async () => {
    await using chat = await typing();
    await chat.nvim.keys('@"src/deep ad');
    await expect.poll(() => menu(chat)).toEqual(['@"src/deep address.lua"']);
    await chat.nvim.keys("<C-u>@notes.txt");
    await expect.poll(() => line(chat)).toBe("@notes.txt");
    await expect.poll(() => menu(chat)).toEqual([]);
  });

  it("offers the project's skills after $ and a slash, and nothing where there are none", async () => {
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

  it("offers the user's own skills, too, after the project's of the same name", async () => {
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

  it("comes by key only where it is switched off, and not above the prompt", async () => {
    await using chat = await typing({ completion: { auto: false } });
    await chat.nvim.keys("see @add");
    await expect.poll(() => line(chat)).toBe("see @add");
    expect(await menu(chat)).toEqual([]);
    await chat.nvim.keys("<C-x><C-o>");
    await expect.poll(() => line(chat)).toBe("see @src/add.lua");
    await chat.nvim.keys("<Esc>ggO@add<C-x><C-o>");
    await expect.poll(() => line(chat)).toBe("@add");
  });

  it("leaves the menu to another plugin", async () => {
    await using chat = await typing();
    await chat.nvim.lua("package.loaded['blink.cmp'] = {}");
    await chat.nvim.keys("@ad");
    await expect.poll(() => line(chat)).toBe("@ad");
    expect(await menu(chat)).toEqual([]);
  });

  it("finds the best of 50,000 files, those with the very word first", async () => {
    await using chat = await typing();
    const best = (typed: string) =>
      chat.nvim.lua<string[]>(
        `local names = {}
         for i = 1, 50000 do
           names[i] = ("packages/module%d/src/components/widget%d/index.ts"):format(i % 300, i)
         end
         names[#names + 1] = "src/wheel.ts"
         return require("codex-chat.context.rank").best(names, ..., 3)`,
        typed,
      );
    expect((await best("wheel"))[0]).toBe("src/wheel.ts");
    expect((await best("srcwhl"))[0]).toBe("src/wheel.ts");
    expect((await best("widget49999"))[0]).toContain("/widget49999/");
    expect(await best("nothing like it")).toEqual([]);
  });
});

describe.each(neovims)("the list of files on Neovim $name", (program) => {
  it("leaves out what .gitignore names, also without git", async () => {
    await using chat = await openChat({
      program,
      // Nothing but the shell's own: neither git nor ripgrep.
      env: { PATH: "/nowhere" },
      config: { window: { startinsert: false } },
    });
    const { cwd } = chat.nvim;
    for (const dir of ["lib/inner", "build", "node_modules/x"])
      await mkdir(join(cwd, dir), { recursive: true });
    const ignored = "*.log\n/build/\n!keep.log\nlib/inner/secret.*\n# all\n";
    await writeFile(join(cwd, ".gitignore"), ignored);
    await writeFile(join(cwd, "lib/.gitignore"), "only-here\n");
    for (const name of [
      "a.lua",
      "a.log",
      "keep.log",
      "build/out.js",
      "node_modules/x/i.js",
      "lib/b.lua",
      "lib/only-here",
      "only-here",
      "lib/inner/secret.txt",
      "lib/inner/c.lua",
    ])
      await writeFile(join(cwd, name), "");
    const list = () =>
      chat.nvim.lua(
        "return require('codex-chat.context.files').list(require('codex-chat.registry').get(...).root)",
        chat.buf,
      );
    await expect
      .poll(list)
      .toEqual([
        ".gitignore",
        "a.lua",
        "keep.log",
        "lib/.gitignore",
        "lib/b.lua",
        "lib/inner/c.lua",
        "only-here",
      ]);
  });
});
