/** `:help codex-chat`, wherever the plugin comes from. */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { helpTags } from "../../../scripts/help-tags.mjs";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";

async function fresh(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-help-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

/** What is a tag, and what only looks like one. */
const ODD = `*odd.txt*	First line
  *a/b* *c\\d*  x*no* *no|* *no *no*x >
	*in-example*

< *after* and: >lua
    *in-lua*
not *after-lua*, ** *é*
`;

const manual = join(repository, "doc/codex-chat.txt");

describe.each(neovims)("the help on Neovim $name", (program) => {
  it("has the same tags that :helptags generates, so that a plugin manager changes nothing", async () => {
    const dir = await fresh();
    await cp(manual, join(dir, "codex-chat.txt"));
    await writeFile(join(dir, "odd.txt"), ODD);
    await using nvim = await startNeovim({ program, bare: true });
    await nvim.command(`helptags ${dir}`);
    const made = await readFile(join(dir, "tags"), "utf8");
    const text = await readFile(manual, "utf8");
    expect(helpTags({ "odd.txt": ODD, "codex-chat.txt": text })).toBe(made);
    // Each cross-reference leads somewhere.
    const tags = new Set(made.split("\n").map((line) => line.split("\t")[0]));
    const links = [...text.matchAll(/\|((?::?codex-chat|:CodexChat|<Plug>)[^|\s]*)\|/gi)];
    expect(links.map(([, name]) => name).filter((name) => !tags.has(name))).toEqual([]);
  });

  it("is found after a build and :packadd, and links from its settings", async () => {
    const pack = join(await fresh(), "pack/plugins/opt");
    await mkdir(pack, { recursive: true });
    await symlink(repository, join(pack, "codex-chat.nvim"));
    await using nvim = await startNeovim({ program, bare: true });
    await nvim.lua("vim.opt.packpath:prepend((...))", join(pack, "../../.."));
    await nvim.command("packadd codex-chat.nvim");
    for (const name of ["codex-chat", ":CodexChat", "codex-chat-config"]) {
      await nvim.command(`help ${name}`);
      expect(await nvim.lua("return vim.fn.getline('.')")).toContain(`*${name}*`);
    }
  });

  it("is found in the Neovim of the tour", async () => {
    await using nvim = await startNeovim({ program, bare: true });
    const given = { plugin: repository, config: {}, truecolor: false, interactive: false };
    await nvim.lua("vim.env.CODEX_CHAT_TRY = (...)", JSON.stringify(given));
    await nvim.command(`source ${join(repository, "scripts/try/init.lua")}`);
    await nvim.command("help codex-chat");
    expect(await nvim.lua("return vim.fn.getline('.')")).toContain("*codex-chat*");
  });
});
