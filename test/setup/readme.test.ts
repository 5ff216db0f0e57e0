/** What the README tells people to type and to copy. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runtimeSetup } from "../../src/sandbox/error.ts";
import { neovims, repository, startNeovim } from "../support/neovim.ts";

const read = (path: string) => readFileSync(join(repository, path), "utf8");
const readme = read("README.md");

/** The texts of the fences in this language. */
function fences(text: string, language: string): string[] {
  const all = text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"));
  return [...all].map(([, code = ""]) => code);
}

it.each(["README.md", "CONTRIBUTING.md"])("%s runs only scripts that exist", (page) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const verbs = /const VERBS = \[([^\]]*)\]/.exec(read("scripts/run.mjs"))?.[1] ?? "";
  const named = [...read(page).matchAll(/\bnpm (?:run ([a-z-]+)|(test))\b/g)];
  expect(named.length).toBeGreaterThan(2);
  for (const [, script, test] of named) {
    const name = script ?? test ?? "";
    expect(scripts[name]).toBe(`node scripts/run.mjs ${name}`);
    expect(verbs).toContain(`"${name}"`);
  }
});

it("the README, the help and the messages register gVisor by the same commands", () => {
  const setup = runtimeSetup("codex-chat");
  expect(fences(readme, "sh").join("")).toContain(setup);
  expect(read("doc/codex-chat.txt").replaceAll("\n    ", "\n")).toContain(setup);
});

it("the README names only subcommands and tags of the help that exist", () => {
  const help = read("doc/codex-chat.txt");
  for (const [, name] of readme.matchAll(/:CodexChat ([a-z-]+)/g))
    expect(help).toMatch(new RegExp(`^:(?:\\[range\\])?CodexChat(?:\\[!\\])? \\[?${name}\\b`, "m"));
  for (const [, tag] of readme.matchAll(/:help ([\w-]+)/g)) expect(help).toContain(`*${tag}*`);
  for (const [, name] of readme.matchAll(/<Plug>\((codex-chat-[a-z-]+)\)/g))
    expect(help).toContain(`<Plug>(${name})`);
});

it.each(neovims)("the README's Lua is accepted as it stands on Neovim $name", async (program) => {
  const [spec = "", settings = "", ...more] = fences(readme, "lua");
  expect(more).toEqual([]);
  await using nvim = await startNeovim({ program });
  expect(await nvim.lua(`return (${spec}).branch`)).toBe("release");
  await nvim.lua(settings);
  const problems = "return ({ require('codex-chat.config').resolve(vim.g.codex_chat) })[2]";
  expect(await nvim.lua(problems)).toEqual([]);
  // A default that the README names is one; of the others Lua does not know the default.
  const differing = `
    local said, config = vim.g.codex_chat, require("codex-chat.config").resolve({})
    return vim.iter(said):map(function(key, value)
      if type(value) ~= "table" and config[key] ~= nil and config[key] ~= value then return key end
    end):totable()`;
  expect(await nvim.lua(differing)).toEqual([]);
});
