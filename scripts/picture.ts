/**
 * `node scripts/run.mjs picture [FILE] [COLUMNS] [ROWS] [KEYS]`: draws the README's picture from the
 * real plugin: a real Neovim runs the offline tour in a small project, and its screen becomes an SVG.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { silentLog } from "../src/log.ts";
import { quietClient } from "../src/nvim/quiet-client.ts";
import { startModelServer, tour } from "../src/offline/index.ts";
import { Screen } from "../test/support/screen.ts";
import { checkout, formatSetupError, setUp, toStderr } from "./setup/index.ts";
import { svgOf } from "./try/svg.ts";

const [file = "docs/picture.svg", columns = "128", rows = "42", keys = ""] = process.argv.slice(2);
const PROGRAM = `def greeting(name):
    return f"Hello, {name}!"


if __name__ == "__main__":
    print(greeting("world"))
`;

const ready = await setUp({ neovim: "tested", engine: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
const model = await startModelServer({ script: tour });
const dir = await mkdtemp(join(tmpdir(), "codex-chat-picture-"));
const project = join(dir, "greeter");
await mkdir(project);
await writeFile(join(project, "greet.py"), PROGRAM);
await writeFile(join(project, "README.md"), "# Greeter\n");

const given = {
  plugin: checkout,
  config: {
    state_dir: join(dir, "state"),
    node: process.execPath,
    model: "gpt-5.5",
    model_url: model.url,
    approvals: "never",
    window: { size: 0.62 },
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
  ["--embed", "--clean", "-u", join(checkout, "scripts/try/init.lua"), "greet.py"],
  {
    cwd: project,
    env: { ...process.env, CODEX_CHAT_TRY: JSON.stringify(given) },
    stdio: ["pipe", "pipe", "inherit"],
  },
);
const client = quietClient(silentLog);
client.attach({ reader: nvim.stdout, writer: nvim.stdin });
const screen = new Screen();
const ended = new Promise<void>((done) => {
  client.on("notification", (name: string, args: unknown[]) => {
    if (name === "redraw") screen.redraw(args);
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
   vim.api.nvim_create_autocmd("User", { pattern = "CodexChatTurnEnded", callback = function()
     vim.rpcnotify(channel, "ended")
   end })
   vim.cmd("CodexChat")`,
  [channel],
]);
await client.request("nvim_paste", ["Show me around, please.", false, -1]);
await client.request("nvim_input", ["<Esc><CR>"]);
await ended;
if (keys !== "") await client.request("nvim_input", [keys]);
// Neovim draws after the end of the turn is reported: once nothing more arrives, the screen is complete.
for (let frames = -1; frames !== screen.frames; ) {
  frames = screen.frames;
  await pause(300);
}
const target = resolve(file);
await mkdir(dirname(target), { recursive: true });
await writeFile(target, svgOf(screen));
toStderr(`drawn: ${target}`);
void client.request("nvim_command", ["qall!"]).catch(() => {});
await Promise.race([once(nvim, "exit"), pause(5_000)]);
await pause(2_000);
await rm(dir, { recursive: true, force: true });
await model.close();
await ready.value.close();
process.exit(0);
