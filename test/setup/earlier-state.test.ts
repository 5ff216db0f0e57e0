/** The state directory of earlier versions. A version that changes a format adds its own here. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { neovims, repository, startNeovim } from "../support/neovim.ts";

const NAME = "2026-11-20-mend-the-greeting.md";

/** A Neovim whose project has the state that a version left. */
async function startWith(version: string, program: (typeof neovims)[number]) {
  const nvim = await startNeovim({ program });
  const dir = await nvim.lua<string>("return require('codex-chat.project').of_buf().dir");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await cp(join(repository, "test/fixtures", `state-${version}`), dir, { recursive: true });
  const path = join(dir, "chats", NAME);
  const text = await readFile(path, "utf8");
  const placed = text.replace("/work/greeter", nvim.cwd);
  await writeFile(path, placed);
  return { nvim, path, text: placed };
}

const host = "return require('codex-chat.registry').get(vim.api.nvim_get_current_buf()).host";

describe.each(neovims)("what an earlier version left, on Neovim $name", (program) => {
  it("is read: of 0.1 the conversation, its archive and the allowed hosts", async () => {
    const { nvim, path, text } = await startWith("0.1", program);
    await using _ = nvim;
    await nvim.command("CodexChat");
    expect(await nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(path);
    await expect.poll(() => nvim.lua(host)).toBe("attached");
    expect(`${(await nvim.lines()).join("\n")}\n`).toBe(text);
    await nvim.command("CodexChat network");
    const page = async () => (await nvim.lines()).join("\n");
    await expect.poll(page).toContain("- `registry.npmjs.org` in this project");
    expect(await page()).toContain("- `docs.example.org` in this conversation");
    await nvim.lua("vim.ui.select = function(items) _G.offered = items end");
    await nvim.command("CodexChat threads archived");
    const offered = "return vim.inspect(_G.offered or {})";
    await expect.poll(() => nvim.lua(offered)).toContain("An older one");
  });

  it("keeps its format's number if that is a later one, whatever is written", async () => {
    const { nvim, path, text } = await startWith("0.1", program);
    await using _ = nvim;
    const later = text.replace("codex-chat: 1\n", "codex-chat: 2\nmood: calm\n");
    await writeFile(path, later);
    await nvim.command("CodexChat");
    await expect.poll(() => nvim.lua(host)).toBe("attached");
    await nvim.lua("vim.api.nvim_buf_set_lines(0, -1, -1, false, { 'And now?' })");
    const written = () => readFile(path, "utf8");
    await expect.poll(written).toBe(`${later}And now?\n`);
  });
});
