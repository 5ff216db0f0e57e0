import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import type { Editor } from "./editor.ts";

/** In each of two projects. */
export const FILES = 10_000;
export const LONG_FILES = 20;
export const LONG_LINES = 50_000;

const TURN = [
  ...["## You", "", "What about this, and that?", "", "## Codex", "", "An *answer* in words."],
  ...["", "**Ran** `ls` · exit 0", "```console output", "## Codex", "a", "```", ""],
].join("\n");

/** Runs `start` and counts by how much a timer comes late until it has called back. */
const MEASURE = `
  local name, argument = ...
  local began, last, worst = vim.uv.hrtime(), vim.uv.hrtime(), 0
  local timer = assert(vim.uv.new_timer())
  _G.measured = nil
  local function over(count)
    worst = math.max(worst, vim.uv.hrtime() - last)
    timer:close()
    _G.measured = { ms = (vim.uv.hrtime() - began) / 1e6, worst = worst / 1e6, count = count }
  end
  timer:start(1, 1, function()
    local now = vim.uv.hrtime()
    worst, last = math.max(worst, now - last), now
  end)
  if name == "idle" then
    vim.defer_fn(function() over(0) end, 1000)
  elseif name == "list" then
    vim.ui.select = function(items, opts)
      for _, item in ipairs(items) do opts.format_item(item) end
      over(#items)
    end
    vim.cmd("CodexChat" .. argument .. " threads")
  else
    local setqflist = vim.fn.setqflist
    vim.fn.setqflist = function(list, action, what)
      setqflist(list, action, what)
      vim.fn.setqflist = setqflist
      vim.schedule(function() over(#what.items) end)
    end
    vim.cmd("CodexChat search " .. argument)
  end`;

const Measured = z.object({ ms: z.number(), worst: z.number(), count: z.number() });

/** How long something took, the longest pause of the editor meanwhile, and how many entries came. */
export type Measured = z.infer<typeof Measured>;

/** What is measured: nothing, a list (`!` for all projects), or a search. */
export type Step = { readonly what: "idle" | "list" | "search"; readonly argument: string };

/** Measures in an editor with the plugin. A pause is the longest time by which a timer came late. */
export async function measureStep(editor: Editor, { what, argument }: Step): Promise<Measured> {
  await editor.lua(MEASURE, what, argument);
  let measured: unknown = null;
  for (; measured === null; measured = await editor.lua("return _G.measured")) await pause(20);
  return Measured.parse(measured);
}

/** Fills two projects, the given one and another, with conversations. */
export async function fillProjects(editor: Editor, project: string): Promise<void> {
  for (const each of [project, `${project}-2`]) {
    const chats = await editor.lua("return require('codex-chat.project').at(...).chats", each);
    await fill(z.string().parse(chats), each);
  }
}

async function fill(chats: string, project: string): Promise<void> {
  await mkdir(chats, { recursive: true });
  const long = TURN.repeat(Math.ceil(LONG_LINES / TURN.split("\n").length));
  for (let n = 0; n < FILES; n++) {
    const head = `---\ncodex-chat: 1\nproject: ${project}\nthread: t-${n}\n---\n\n`;
    const query = `## You\n\nQuestion number ${n}?\n\n`;
    const body = n % (FILES / LONG_FILES) === 0 ? long : TURN.repeat(4);
    await writeFile(join(chats, `2026-01-01-${n}.md`), `${head}${query}${body}## You\n\n`);
  }
}
