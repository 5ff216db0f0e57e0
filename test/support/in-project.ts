/** A chat whose conversations lie in the project, where the agent can write. */
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openChat } from "./chat.ts";
import type { NeovimProgram } from "./neovim.ts";

/** What a file of the user's holds. */
export const SECRET = "a secret of the user's\n";
const NOTIFY = "_G.said = {}; vim.notify = function(m) table.insert(_G.said, m) end";

/** A chat with its conversations in the project, and a directory of the user's outside of it. */
export async function inProject(program: NeovimProgram, args: readonly string[] = []) {
  const config = { history_dir: ".chats", window: { startinsert: false } };
  const chat = await openChat({ program, config, args });
  const project = chat.nvim.cwd;
  const outside = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-outside-")));
  onTestFinished(() => rm(outside, { recursive: true, force: true }));
  const victim = join(outside, "bashrc");
  await writeFile(victim, SECRET);
  await chat.nvim.lua(NOTIFY);
  const dir = join(project, ".chats");
  await mkdir(dir, { recursive: true });
  const swap = async () => {
    await rename(dir, `${dir}-moved`);
    await symlink(outside, dir);
  };
  return { chat, nvim: chat.nvim, project, dir, outside, victim, swap };
}
