import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../support/neovim.ts";

const read = (path: string) => readFileSync(join(repository, path), "utf8");

/** The names in the table of subcommands. */
const subcommands: readonly string[] = [
  ...read("lua/codex-chat/commands/subcommands.lua").matchAll(
    /^ {2}(?:\["([a-z-]+)"\]|([a-z]+)) = \{$/gm,
  ),
].map(([, quoted, plain]) => quoted ?? plain ?? "");

describe("each subcommand of :CodexChat", () => {
  it("is found", () => {
    expect(subcommands).toContain("accept-session");
    expect(subcommands.length).toBeGreaterThan(30);
  });

  it("has a mapping of its name, which :help lists, unless it needs words", () => {
    const plugin = read("plugin/codex-chat.lua");
    const help = read("doc/codex-chat.txt");
    const without = subcommands.filter(
      (subcommand) =>
        !new RegExp(`["\\s]${subcommand}["\\s]`).test(plugin) ||
        !help.includes(`<Plug>(codex-chat-${subcommand})`),
    );
    expect(without).toEqual(["sandbox"]);
  });

  it("has its place in :help", () => {
    const text = read("doc/codex-chat.txt");
    const missing = subcommands.filter(
      (subcommand) =>
        !new RegExp(`^:(?:\\[range\\])?CodexChat(?:\\[!\\])? \\[?${subcommand}\\b`, "m").test(text),
    );
    expect(missing).toEqual([]);
  });
});
