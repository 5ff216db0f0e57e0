/**
 * `node scripts/run.mjs picture [FILE] [ANIMATION] [COLUMNS] [ROWS]`: draws the README's picture and
 * animation from the real plugin: in a real Neovim, Codex fixes a failing test in the sandbox, and the
 * screens become SVGs. Only the model's words are scripted.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { silentLog } from "../src/log.ts";
import { quietClient } from "../src/nvim/quiet-client.ts";
import { cartTask, startModelServer } from "../src/offline/index.ts";
import { Screen } from "../test/support/screen.ts";
import { animation, drawn, type Frame, picture } from "./picture/svg.ts";
import { checkout, formatSetupError, setUp, toStderr } from "./setup/index.ts";

const [file = "docs/picture.svg", moving = "docs/animation.svg", columns = "132", rows = "40"] =
  process.argv.slice(2);
/** The least time from one frame of the animation to the next. */
const FRAME_MS = 120;
/** How long a question stands before it is answered, and the last screen before all begins again. */
const QUESTION_MS = 1_500;
const LAST_MS = 6_000;

const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
const model = await startModelServer({ script: cartTask.script });
const dir = await mkdtemp(join(tmpdir(), "codex-chat-picture-"));
const project = join(dir, "cart");
await mkdir(project);
for (const [name, text] of Object.entries(cartTask.files))
  await writeFile(join(project, name), text);

const given = {
  plugin: checkout,
  config: {
    state_dir: join(dir, "state"),
    node: process.execPath,
    model: "gpt-5.5",
    model_url: model.url,
    approvals: "untrusted",
    window: { size: 0.58 },
    sandbox: {
      ...(ready.value.engine === undefined ? {} : { engine: ready.value.engine.host }),
      ...(ready.value.baseImage === undefined ? {} : { base_image: ready.value.baseImage }),
      ...(ready.value.engine?.isPrivate === true ? { build_network: "host" } : {}),
    },
  },
  truecolor: true,
  interactive: false,
  questions: [],
};
const nvim = spawn(
  ready.value.neovims.at(-1)?.program ?? "nvim",
  ["--embed", "--clean", "-u", join(checkout, "scripts/try/init.lua"), "cart.py"],
  {
    cwd: project,
    env: { ...process.env, CODEX_CHAT_TRY: JSON.stringify(given) },
    stdio: ["pipe", "pipe", "inherit"],
  },
);
const client = quietClient(silentLog);
client.attach({ reader: nvim.stdout, writer: nvim.stdin });
const screen = new Screen();
const frames: Frame[] = [];
let beganAt: number | undefined;
/** Takes a frame, unless the last one is too recent; the next redraw takes it then. */
function take(isLast = false): void {
  if (beganAt === undefined) return;
  const atMs = Math.round(performance.now() - beganAt);
  const last = frames.at(-1);
  if (!isLast && last !== undefined && atMs - last.atMs < FRAME_MS) return;
  frames.push({ atMs, screen: drawn(screen) });
}
/** Answers what Codex asks, once it can be read. */
async function answer(): Promise<void> {
  await settled();
  await pause(QUESTION_MS);
  // The key of the question that the cursor is sent to.
  await client.request("nvim_input", ["<Esc>]a"]);
  await settled();
  await pause(QUESTION_MS / 2);
  await client.request("nvim_input", ["s"]);
}
/** Neovim draws after it has told of an event: once nothing more arrives, the screen is complete. */
async function settled(): Promise<void> {
  for (let count = -1; count !== screen.frames; ) {
    count = screen.frames;
    await pause(300);
    take();
  }
}
const ended = new Promise<void>((done) => {
  client.on("notification", (name: string, args: unknown[]) => {
    if (name === "redraw") {
      screen.redraw(args);
      take();
    }
    if (name === "asked") void answer();
    if (name === "ended") done();
  });
});
await client.request("nvim_ui_attach", [
  Number(columns),
  Number(rows),
  { ext_linegrid: true, rgb: true },
]);
const [channel] = (await client.request("nvim_get_api_info", [])) as [number];
await client.request("nvim_exec_lua", [
  `local channel = ...
   for pattern, name in pairs({ CodexChatTurnEnded = "ended", CodexChatApprovalRequested = "asked" }) do
     vim.api.nvim_create_autocmd("User", { pattern = pattern, callback = function()
       vim.rpcnotify(channel, name)
     end })
   end
   vim.cmd("CodexChat")`,
  [channel],
]);
await settled();
beganAt = performance.now();
take();
for (const char of cartTask.query) {
  await client.request("nvim_input", [char]);
  await pause(45);
}
// The sandbox has started meanwhile, as it does for whoever types.
await pause(2_500);
await client.request("nvim_input", ["<Esc><CR>"]);
await ended;
await client.request("nvim_input", ["<Esc>G"]);
await settled();
take(true);
for (const [path, text] of [
  [file, picture(drawn(screen))],
  [moving, animation(frames, (frames.at(-1)?.atMs ?? 0) + LAST_MS)],
] as const) {
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
  toStderr(`drawn: ${target} (${Math.round(text.length / 1000)} kB)`);
}
void client.request("nvim_command", ["qall!"]).catch(() => {});
await Promise.race([once(nvim, "exit"), pause(5_000)]);
await pause(2_000);
await rm(dir, { recursive: true, force: true });
await model.close();
await ready.value.close();
process.exit(0);
