/**
 * What an answer's streaming costs Neovim: 2,000 deltas in frames of 16 ms, through the plugin's
 * edits with folds, highlighting and views, against bare `nvim_buf_set_text` in the same run, behind
 * conversations of three lengths. CPU time is that of the Neovim process, with a screen attached.
 */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { checkout, setUp } from "../scripts/setup/index.ts";
import { silentLog } from "../src/log.ts";
import { quietClient } from "../src/nvim/quiet-client.ts";

const DELTAS = 2000;
const FRAMES = 600;
const FRAME_MS = 16;
const HISTORY_LINES = [0, 5_000, 50_000];
const TURN = "## You\n\nq\n\n## Codex\n\nAn answer with *words* and `code`.\n\nAnd more.\n\n";
const WORDS = "Some *emphasis*, a `name` and plain words that go on for a while. ";

const OPEN_PLAIN = `
  local lines = vim.fn.readfile(...)
  vim.bo.undolevels = -1
  vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
  vim.cmd("normal! G")`;
const APPEND_PLAIN = `
  local last = vim.api.nvim_buf_line_count(0) - 1
  local col = #vim.api.nvim_buf_get_lines(0, last, last + 1, false)[1]
  vim.api.nvim_buf_set_text(0, last, col, last, col, vim.split(..., "\\n"))
  vim.cmd("normal! G")`;
const OPEN_CHAT = `
  vim.g.codex_chat = { host_cmd = { "sleep", "1000" }, window = { position = "tab" } }
  local chats = require("codex-chat.chat")
  local chat = chats.load(..., require("codex-chat.project").of_buf())
  chats.show(chat)
  vim.cmd.tabonly()
  BENCH_BUF = chat.buf
  local function insert(id, lines, after)
    require("codex-chat.buffer.edits").apply(BENCH_BUF,
      { { op = "insert", id = id, after = after, lines = lines, gap = 1 } })
  end
  insert("heading", { "## Codex" }, "history")
  insert("answer", { "Now" }, "heading")`;
const APPEND_CHAT = `
  require("codex-chat.buffer.edits").apply(BENCH_BUF, { { op = "append", id = "answer", text = ... } })`;

const ready = await setUp({ neovim: "tested" });
if (!ready.ok) throw new Error(ready.error.message);
for (const { program, version } of ready.value.neovims) {
  console.log(`Neovim ${version}: CPU ms for ${DELTAS} deltas in ${FRAMES} frames`);
  for (const lines of HISTORY_LINES) {
    const floor = await measure(program, lines, "floor");
    const plugin = await measure(program, lines, "plugin");
    const ratio = (plugin / floor).toFixed(2);
    console.log(`  behind ${lines} lines: floor ${floor}, plugin ${plugin}, ratio ${ratio}`);
  }
}
await ready.value.close();

async function measure(program: string, lines: number, what: "floor" | "plugin"): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-bench-"));
  const project = join(dir, "project");
  await mkdir(join(project, ".git"), { recursive: true });
  const path = join(dir, "long.md");
  await writeFile(path, `${TURN.repeat(Math.ceil(lines / 10))}## You\n\n`);
  const child = spawn(program, ["--clean", "--embed", "-n", "--cmd", `set rtp^=${checkout}`], {
    cwd: project,
    env: { ...process.env, XDG_STATE_HOME: join(dir, "state"), LANG: "C.UTF-8" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const nvim = quietClient(silentLog);
  nvim.attach({ reader: child.stdout, writer: child.stdin });
  try {
    await nvim.request("nvim_ui_attach", [200, 50, { ext_linegrid: true, rgb: true }]);
    const lua = (code: string, ...args: unknown[]) => nvim.request("nvim_exec_lua", [code, args]);
    await lua(what === "plugin" ? OPEN_CHAT : OPEN_PLAIN, path);
    await pause(1500);
    const before = await cpuMs(child.pid ?? 0);
    for (let frame = 0; frame < FRAMES; frame++) {
      await lua(what === "plugin" ? APPEND_CHAT : APPEND_PLAIN, textOf(frame));
      await pause(FRAME_MS);
    }
    return (await cpuMs(child.pid ?? 0)) - before;
  } finally {
    child.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
}

/** Three or four deltas a frame, a paragraph's end now and then. */
function textOf(frame: number): string {
  return WORDS.slice(0, 60) + (frame % 10 === 9 ? "\n\n" : "");
}

/** User and system time of a process; clock ticks are 10 ms on Linux. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
