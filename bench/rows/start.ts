/** Rows 6 to 8: what the plugin costs before anything is asked. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "@msgpack/msgpack";
import { execa } from "execa";
import { checkout } from "../../scripts/setup/index.ts";
import { ScriptedModel } from "../../test/e2e/model.ts";
import { residentMb } from "../../test/support/holdings.ts";
import { history, leaveHistory, startEditor } from "../parts/chat.ts";
import { atEnd } from "../parts/cleanup.ts";
import { Editor } from "../parts/editor.ts";
import { median, repeat } from "../parts/figures.ts";
import { makePlace } from "../parts/place.ts";
import { gone } from "../parts/processes.ts";
import type { Run } from "../parts/run.ts";

/** The floor of the host: it answers what comes first, and is nothing else. */
const BARE_NODE = ["-e", `process.stdin.once("data", (it) => process.stdout.write(it))`];

/** Measures the host, the plugin's file and the window. */
export async function start(run: Run): Promise<void> {
  await host(run);
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-bench-"));
  const remove = atEnd(() => rm(dir, { recursive: true, force: true }));
  await pluginFile(run, dir);
  await windows(run, dir);
  await remove();
}

async function host({ isQuick, add }: Run): Promise<void> {
  const times = isQuick ? 7 : 15;
  const program = [join(checkout, "dist", "host.mjs")];
  const own: Answered[] = [];
  const bare: Answered[] = [];
  // In turns, so that what else the machine does meets both.
  for (let n = 0; n < times; n++) {
    own.push(await firstAnswer(program));
    bare.push(await firstAnswer(BARE_NODE));
  }
  const ms = (all: readonly Answered[]) => median(all.map((answered) => answered.ms));
  const mb = (all: readonly Answered[]) => median(all.map((answered) => answered.mb));
  const floor = ms(bare);
  add({
    what: "host: spawn to its first answer",
    ...{ unit: "ms", measured: ms(own), floor, floorIs: "bare Node" },
    ...{ limit: floor * 1.5, target: "1.5 x floor" },
  });
  add({
    what: "host: resident memory then",
    ...{ unit: "MB", measured: mb(own), floor: mb(bare), floorIs: "bare Node" },
    ...{ limit: 60, target: "60 MB" },
  });
}

type Answered = { readonly ms: number; readonly mb: number };

/** Starts Node with a program that waits for a message, and sends it one. */
async function firstAnswer(args: readonly string[]): Promise<Answered> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const end = atEnd(() => void child.kill("SIGKILL"));
  child.stdin.write(encode([0, 1, "bench", []]));
  await once(child.stdout, "data");
  const answered = { ms: performance.now() - began, mb: residentMb(child.pid ?? 0) };
  const exited = once(child, "exit");
  await end();
  await exited;
  return answered;
}

async function pluginFile({ program, isQuick, add }: Run, dir: string): Promise<void> {
  const empty = join(dir, "empty.lua");
  await writeFile(empty, "");
  const own = join(checkout, "plugin", "codex-chat.lua");
  const code = `
    local began = vim.uv.hrtime()
    vim.cmd.source(vim.env.CODEX_CHAT_BENCH_FILE)
    io.stdout:write((vim.uv.hrtime() - began) / 1e6)
    vim.cmd.qall()`;
  const script = join(dir, "source.lua");
  await writeFile(script, code);
  const times = isQuick ? 15 : 40;
  const sourced = (file: string) => async () => {
    const env = { CODEX_CHAT_BENCH_FILE: file, HOME: dir, XDG_STATE_HOME: dir };
    const args = ["--clean", "--headless", "--cmd", `luafile ${script}`];
    return Number((await execa(program, args, { env, stdin: "ignore" })).stdout);
  };
  add({
    what: "the plugin's file at start-up",
    ...{ unit: "ms", measured: median(await repeat(times, sourced(own))) },
    ...{ floor: median(await repeat(times, sourced(empty))), floorIs: "an empty file" },
    ...{ limit: 0.3, target: "0.3 ms" },
  });
}

async function windows(run: Run, dir: string): Promise<void> {
  await using model = await ScriptedModel.start();
  const times = run.isQuick ? 3 : 7;
  for (const lines of run.isQuick ? [0, 5_000] : [0, 5_000, 50_000]) {
    await using place = await makePlace(run.engine);
    const file = join(dir, `${lines}.txt`);
    await writeFile(file, history(lines) || "\n");
    const own = await repeat(times, async () => {
      await using editor = await startEditor({ program: run.program, place, model });
      if (lines > 0) await leaveHistory(editor, place, lines);
      const ms = await untilTypable(editor, "CodexChat");
      const pid = await editor.lua<number>(`return require("codex-chat.host").pid() or 0`);
      await editor.quit();
      if (pid > 0) await gone(pid);
      return ms;
    });
    const bare = await repeat(times, async () => {
      await using editor = await Editor.start({ program: run.program });
      return await untilTypable(editor, `silent noautocmd botright 90vsplit ${file} | startinsert`);
    });
    const limit = lines === 0 ? 15 : 40;
    run.add({
      what: `:CodexChat to a window one can type in, ${lines.toLocaleString("en")} lines`,
      ...{ unit: "ms", measured: median(own), floor: median(bare), floorIs: "a split of a text" },
      ...{ limit, target: `${limit} ms` },
    });
  }
}

/** Types a command; returns how long after Enter the screen is whole again and in insert mode. */
async function untilTypable(editor: Editor, command: string): Promise<number> {
  await editor.input(`:${command}`);
  await editor.shown(command.slice(-20));
  const { frames } = editor.screen;
  const began = performance.now();
  await editor.input("<CR>");
  return (
    (await editor.shown((screen) => screen.mode === "insert" && screen.frames > frames)) - began
  );
}
