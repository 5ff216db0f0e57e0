/**
 * Floods of messages that a program inside forges into the app-server's output while a turn runs, and
 * what they cost the host and the editor.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { message, reply } from "../../src/offline/reply.ts";
import { Gate, until } from "../../test/e2e/support.ts";
import type { Neovim } from "../../test/support/neovim.ts";
import type { Whole } from "./whole.ts";

/** What a flood came to. */
export type Flooded = {
  /** The most memory of each while it lasted, in MB. */
  readonly nvimMb: number;
  readonly hostMb: number;
  /** The longest time in ms in which Neovim came to none of its timers, and so to no key. */
  readonly gapMs: number;
  /** From the stop, as the user types it, to the turn's end. */
  readonly stopMs: number;
  readonly lines: readonly string[];
  readonly file: string;
};

/**
 * The beginning of every forging program: `say(method, params)` and `item(method, fields)`, with the
 * thread's and the turn's ids filled in. A write waits while nobody reads.
 */
const PRELUDE = `
const fs = require("fs");
const [threadId, turnId] = [process.argv[2], "forged"];
const pid = fs.readdirSync("/proc").find((it) => {
  try { return /^\\d+$/.test(it) && fs.readFileSync("/proc/" + it + "/cmdline", "utf8").includes("app-server"); }
  catch { return false; }
});
const out = fs.openSync("/proc/" + pid + "/fd/1", "w");
const write = (bytes) => { for (let at = 0; at < bytes.length; ) {
  try { at += fs.writeSync(out, bytes, at, Math.min(65536, bytes.length - at)); } catch (e) { if (e.code !== "EAGAIN") throw e; } } };
let waiting = [], size = 0;
const flush = () => { write(Buffer.from(waiting.join(""))); waiting = []; size = 0; };
const put = (message) => { const line = JSON.stringify(message) + "\\n"; waiting.push(line); size += line.length; if (size > 65536) flush(); };
const say = (method, params) => put({ method, params: { threadId, turnId, ...params } });
`;

/** Has a turn during which the program runs inside to its end, then stops it. */
export async function flooded(whole: Whole, program: string): Promise<Flooded> {
  const { chat, model, place } = whole;
  await chat.startAnew();
  const gate = new Gate();
  model.answer(() => reply(message("I wait."), until(gate)));
  await chat.send("Wait.");
  await chat.until("I wait.");
  const thread = /^thread: (.*)$/m.exec(await chat.text())?.[1] ?? "";
  const path = join(place.project, "flood.cjs");
  await writeFile(path, `${PRELUDE}${program}\nflush();`);
  const [nvimPid, hostPid] = [chat.nvim.pid, chat.hostPid];
  await Promise.all([nvimPid, hostPid].map(forgetPeak));
  await watchGaps(chat.nvim);
  const ran = await place.inside(`node ${path} ${thread}`);
  if (ran.exitCode !== 0) throw new Error(`the flood did not run: ${ran.stderr}`);
  const since = performance.now();
  await chat.stop();
  await chat.waitForTurnEnd();
  const stopMs = Math.round(performance.now() - since);
  gate.open();
  const gapMs = await longestGap(chat.nvim);
  const [nvimMb, hostMb] = await Promise.all([peakMb(nvimPid), peakMb(hostPid)]);
  await chat.untilSaved();
  const file = await chat.fileText();
  return { nvimMb, hostMb, gapMs, stopMs, lines: (await chat.text()).split("\n"), file };
}

/** What was measured, for the table. */
export function figures({ nvimMb, hostMb, gapMs, stopMs, lines }: Flooded): string {
  return `Neovim ${nvimMb} MB, host ${hostMb} MB, longest gap ${gapMs} ms, stop ${stopMs} ms, ${lines.length} lines`;
}

/** Has a timer run every 10 ms in Neovim, which keeps the longest time between two. */
export async function watchGaps(nvim: Neovim): Promise<void> {
  await nvim.lua(
    `_G.gap, _G.at = 0, vim.uv.hrtime()
     _G.gap_timer = _G.gap_timer or vim.uv.new_timer()
     _G.gap_timer:start(10, 10, function()
       local now = vim.uv.hrtime()
       _G.gap, _G.at = math.max(_G.gap, now - _G.at), now
     end)`,
  );
}

/** The longest since `watchGaps`, in ms. */
export async function longestGap(nvim: Neovim): Promise<number> {
  return Math.round(await nvim.lua<number>("_G.gap_timer:stop() return _G.gap / 1e6"));
}

/** Has the kernel count a process's peak of memory from now on. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** The most memory that a process has had. */
export async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
}
