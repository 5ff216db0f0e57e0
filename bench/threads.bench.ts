/**
 * What it costs to list and to search 20,000 conversations, 40 of them with 50,000 lines: how long it
 * takes, and how long the editor does not answer meanwhile. The latter is the longest time by which a
 * timer of 1 ms inside Neovim came late. It may be at most a frame more than in an idle Neovim, but for
 * the first list, which starts the host.
 */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { checkout, setUp } from "../scripts/setup/index.ts";
import { silentLog } from "../src/log.ts";
import { quietClient } from "../src/nvim/quiet-client.ts";

/** In each of two projects. */
const FILES = 10_000;
const LONG_FILES = 20;
const LONG_LINES = 50_000;
const MAX_PAUSE_MS = 16;
const MAX_START_MS = 100;

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

const STEPS = [
  ["an idle second", "idle", ""],
  ["the first list, with the host's start", "list", ""],
  ["the next list", "list", ""],
  ["all projects' first list", "list", "!"],
  ["all projects' next list", "list", "!"],
  ["a search that finds nothing", "search", "nowhere at all"],
  ["a search that finds much", "search", "answer"],
  ["a search beyond ASCII", "search", "überall"],
] as const;

const Measured = z.object({ ms: z.number(), worst: z.number(), count: z.number() });

const ready = await setUp({ neovim: "tested" });
if (!ready.ok) throw new Error(ready.error.message);
const dir = await mkdtemp(join(tmpdir(), "codex-chat-bench-"));
try {
  const project = join(dir, "project");
  await mkdir(join(project, ".git"), { recursive: true });
  for (const { version, program } of ready.value.neovims)
    await measureAll(version, program, project);
} finally {
  await rm(dir, { recursive: true, force: true });
  await ready.value.close();
}

async function measureAll(version: string, program: string, project: string): Promise<void> {
  const state = join(dir, version);
  const child = spawn(program, ["--clean", "--embed", "-n", "--cmd", `set rtp^=${checkout}`], {
    cwd: project,
    env: { ...process.env, XDG_STATE_HOME: state, LANG: "C.UTF-8" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const nvim = quietClient(silentLog);
  nvim.attach({ reader: child.stdout, writer: child.stdin });
  try {
    await nvim.request("nvim_ui_attach", [200, 50, { ext_linegrid: true, rgb: true }]);
    const lua = (code: string, ...args: unknown[]) => nvim.request("nvim_exec_lua", [code, args]);
    const place = "return require('codex-chat.project').at(...).chats";
    await fill(z.string().parse(await lua(place, project)), project);
    const other = `${project}-2`;
    await fill(z.string().parse(await lua(place, other)), other);
    console.log(`Neovim ${version}: ${FILES} conversations, ${LONG_FILES} of ${LONG_LINES} lines`);
    let idle = 0;
    for (const [label, what, argument] of STEPS) {
      await lua(MEASURE, what, argument);
      let measured: unknown = null;
      for (; measured === null; measured = await lua("return _G.measured")) await pause(20);
      const { ms, worst, count } = Measured.parse(measured);
      if (what === "idle") idle = worst;
      const most = label.includes("start") ? MAX_START_MS : MAX_PAUSE_MS;
      const verdict = worst - idle > most ? `, MORE THAN ${most} MS` : "";
      if (verdict !== "") process.exitCode = 1;
      const time = `${ms.toFixed(0)} ms, longest pause ${worst.toFixed(1)} ms`;
      console.log(`  ${label}: ${time}, ${count} entries${verdict}`);
    }
  } finally {
    child.kill("SIGKILL");
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
