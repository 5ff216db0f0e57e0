/** Links that the agent leaves in the place of conversations, for the editor to write through. */
import { existsSync } from "node:fs";
import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ThreadChanges } from "../../src/threads/changes.ts";
import { startNeovim } from "../../test/support/neovim.ts";
import { type Attempt, type Verdict, verdict } from "../catalogue.ts";
import type { Fortress } from "./containers.ts";
import { closeAtEnd, freshDir, lazily } from "./places.ts";

const editor = lazily(async () => {
  const nvim = await startNeovim();
  closeAtEnd(async () => nvim.close());
  return nvim;
});

/** Changes a conversation's file as the product does: its host, and the editor where no host writes it. */
async function careful(path: string, stateDir: string): Promise<void> {
  const changes = new ThreadChanges({
    tellCodex: async () => ({ isTold: false }),
    letGo: async () => true,
    onChanged: () => {},
  });
  const subject = { path, stateDir, name: "Old", archived: false };
  await changes.run("rename", subject, "New");
  await (await editor()).lua(
    'require("codex-chat.buffer.document").write(..., { "written" })',
    path,
  );
  await changes.run("archive", subject);
  await changes.run("delete", subject);
}

/** The same for a program that follows links. */
async function careless(path: string): Promise<void> {
  await (await editor()).lua(CARELESS, path);
}

const CARELESS = `
  local path = ...
  vim.fn.writefile({ "written" }, path)
  vim.fn.writefile({ "written" }, path .. "." .. vim.uv.os_getpid() .. ".tmp")
  vim.fn.mkdir(vim.fs.dirname(path) .. "/archive/images", "p")
  local picture = vim.fs.dirname(path) .. "/images/chat-1.png"
  vim.uv.fs_copyfile(picture, vim.fs.dirname(path) .. "/archive/images/chat-1.png")`;

/** A program in the sandbox makes links in the project, where the user keeps conversations. */
export function editorFollowsNoLink(
  product: () => Promise<Fortress>,
  name: string,
  tries: string,
  plant: string,
): Attempt {
  const strike = async (
    write: (path: string, stateDir: string) => Promise<void>,
  ): Promise<Verdict> => {
    const inside = await product();
    const nvim = await editor();
    const dir = join(inside.place.project, `.chats-${Math.random().toString(36).slice(2)}`);
    const mine = await freshDir("home");
    await writeFile(join(mine, "chat.md"), "the user's\n");
    const args = [dir, mine, `${nvim.pid}`];
    const planted = await inside.sh(plant, { cwd: inside.place.project, args });
    await nvim.lua("vim.notify = function() end");
    await write(join(dir, "chat.md"), await freshDir("state"));
    const [names, now] = [await readdir(mine), await readFile(join(mine, "chat.md"), "utf8")];
    const copy = join(dir, "archive/images/chat-1.png");
    const leaked = existsSync(copy) && (await lstat(copy)).isFile();
    return verdict(
      now !== "the user's\n" || names.length > 1 || leaked,
      `${planted.stderr}the user's directory has ${names.join(" ")}; its file says ${JSON.stringify(now)}; copied: ${leaked}`,
    );
  };
  return {
    name,
    tries,
    mustHappen: "what the link leads to is neither written nor read",
    run: () => strike(careful),
    control: () => strike(careless),
  };
}
