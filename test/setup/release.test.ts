/** A release, as a plugin manager gets it: no sources, no packages, nothing to build. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeRelease } from "../../scripts/release/tree.ts";
import { neovims, repository, startNeovim } from "../support/neovim.ts";

describe("a release", () => {
  let base = "";
  let plugin = "";

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "codex-chat-release-"));
    await writeRelease(repository, join(base, "written"));
    // Nothing in it may name the place where it was written.
    plugin = join(base, "pack/plugins/opt/codex-chat.nvim");
    await mkdir(join(plugin, ".."), { recursive: true });
    await cp(join(base, "written"), plugin, { recursive: true });
    await rm(join(base, "written"), { recursive: true });
  });

  afterAll(() => rm(base, { recursive: true }));

  it("has no sources and no packages", async () => {
    const names = await readdir(plugin);
    expect(names).not.toContain("node_modules");
    expect(names).not.toContain("src");
    const { dependencies, devDependencies } = await json("package.json");
    expect(Object.keys(dependencies)).toEqual(["@openai/codex", "npm"]);
    expect(devDependencies).toBeUndefined();
    const { packages } = await json("package-lock.json");
    const own = await json("package-lock.json", repository);
    for (const name of ["@openai/codex", "@openai/codex-linux-x64", "@openai/codex-linux-arm64"])
      expect(packages[`node_modules/${name}`]).toEqual(own.packages[`node_modules/${name}`]);
    expect(packages["node_modules/vitest"]).toBeUndefined();
  });

  it("has what its README links to", async () => {
    const readme = await readFile(join(plugin, "README.md"), "utf8");
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((path) => !existsSync(join(plugin, path)))).toEqual([]);
  });

  it.each(neovims)("opens a chat on Neovim $name", async (program) => {
    await using nvim = await startNeovim({ program, bare: true });
    await nvim.lua("vim.opt.packpath:prepend((...))", base);
    await nvim.command("packadd codex-chat.nvim");
    await nvim.command("CodexChat");
    const state = () =>
      nvim.lua("return require('codex-chat.registry').get(vim.api.nvim_get_current_buf()).host");
    await expect.poll(state).toBe("attached");
    const pid = await nvim.lua<number>("return require('codex-chat.host').pid()");
    const [, bundle] = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
    expect(bundle).toBe(join(plugin, "dist/host.mjs"));
    expect(await readlink(`/proc/${pid}/cwd`)).toBe(plugin);
    await nvim.command("help codex-chat");
    expect(await nvim.lua("return vim.fn.expand('%:p')")).toContain(plugin);
  });

  it("says in :checkhealth that the first message downloads Codex", async () => {
    await using nvim = await startNeovim({ bare: true });
    await nvim.lua("vim.opt.packpath:prepend((...))", base);
    await nvim.command("packadd codex-chat.nvim");
    await nvim.command("checkhealth codex-chat");
    const text = (await nvim.lines()).join("\n");
    expect(text).toMatch(/the first message downloads Codex's programs .*175 MB/);
    expect(text).not.toContain("was not built");
  });

  async function json(name: string, dir = plugin) {
    return JSON.parse(await readFile(join(dir, name), "utf8"));
  }
});
