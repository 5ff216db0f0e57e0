/** Files of conversations, and a chooser that stands where a user's picker does. */
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Neovim } from "./neovim.ts";

/** Whatever has a Neovim. */
type WithNeovim = { readonly nvim: Neovim };

/** Writes a conversation's file, as of `minutes` ago; gives its path. */
export async function put(
  dir: string,
  name: string,
  lines: readonly string[],
  minutes = 1,
): Promise<string> {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${lines.join("\n")}\n`);
  const then = Date.now() / 1000 - minutes * 60 - 5;
  await utimes(path, then, then);
  return path;
}

/** What a conversation is made of. */
export type ConversationParts = {
  readonly project?: string;
  readonly query?: string;
  /** Queries that were answered; one by default. */
  readonly turns?: number;
  readonly name?: string;
  readonly thread?: string;
};

/** The lines of a conversation. */
export function conversation(parts: ConversationParts): string[] {
  const { project, query = "A question?", turns = 1, name, thread = "0199-aa" } = parts;
  return [
    "---",
    "codex-chat: 1",
    ...(name === undefined ? [] : [`name: ${name}`]),
    ...(project === undefined ? [] : [`project: ${project}`]),
    `thread: ${thread}`,
    "---",
    ...Array.from({ length: turns }, (_, n) => [
      "",
      "## You",
      "",
      n === 0 ? query : `Query ${n + 1}`,
      "",
      "## Codex",
      "",
      "An answer with a Needle.",
    ]).flat(),
    "",
    "## You",
    "",
  ];
}

/**
 * Stands for the user's picker: keeps what was first offered, and takes of each menu the entry that
 * has one of these texts. Keeps all messages too, from now on.
 */
export async function choose(chat: WithNeovim, ...texts: readonly string[]): Promise<void> {
  await chat.nvim.lua(
    `local wanted = ...
     _G.offered, _G.prompts, _G.said = nil, {}, {}
     vim.notify = function(message) table.insert(_G.said, message) end
     vim.ui.select = function(items, opts, done)
       local shown = vim.tbl_map(opts.format_item or tostring, items)
       _G.offered = _G.offered or shown
       table.insert(_G.prompts, opts.kind .. ": " .. opts.prompt)
       for _, text in ipairs(wanted) do
         for i, line in ipairs(shown) do
           if line:find(text, 1, true) then
             return vim.schedule(function() done(items[i], i) end)
           end
         end
       end
       done(nil)
     end`,
    texts,
  );
}

/** The first menu since `choose`; null where there was none. */
export function offered(chat: WithNeovim): Promise<string[] | null> {
  return chat.nvim.lua("return _G.offered");
}

/** Kinds and prompts of the menus since `choose`. */
export async function prompts(chat: WithNeovim): Promise<string[]> {
  return Object.values(await chat.nvim.lua<string[]>("return _G.prompts"));
}

/** All messages since `choose`. */
export async function said(chat: WithNeovim): Promise<string[]> {
  return Object.values(await chat.nvim.lua<string[]>("return _G.said"));
}

/** The project's directories, as the plugin names them. */
export function projectAt(
  chat: WithNeovim,
  root: string,
): Promise<{ readonly dir: string; readonly chats: string }> {
  return chat.nvim.lua("return require('codex-chat.project').at(...)", root);
}
