/**
 * Code for the editor's process and for the host's: what Neovim looks up by 'runtimepath' and the
 * PATH, where both lead into the project, as for whoever develops a plugin or uses direnv. The
 * control is a Neovim without the product, in the same project.
 */

import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { exec, message, reply } from "../src/offline/reply.ts";
import { type Neovim, repository, startNeovim } from "../test/support/neovim.ts";
import { group, type Verdict, verdict } from "./catalogue.ts";
import { closeAtEnd, lazily, Mark } from "./support/places.ts";
import { turnWith, type Whole, whole } from "./support/whole.ts";

const product = whole();

/** What the agent has left in the project by commands of its own, and where it would tell. */
type Planted = {
  readonly setup: Whole;
  readonly marks: Record<"parser" | "module" | "program", Mark>;
};

const PROGRAMS = ["node", "git", "rg", "env", "sh", "xclip", "wl-paste", "xdg-open"];

const planted = lazily(async (): Promise<Planted> => {
  const setup = await product();
  const marks = {
    parser: await Mark.make(),
    module: await Mark.make(),
    program: await Mark.make(),
  };
  const code = `#include <stdio.h>
__attribute__((constructor)) static void a(void) { fclose(fopen("${marks.parser.path}", "w")); }`;
  const lua = `io.open("${marks.module.path}", "w"):close()`;
  await setup.chat.nvim.lua("vim.opt.runtimepath:prepend(...)", setup.place.project);
  await turnWith(
    setup,
    [
      "mkdir -p parser bin ftplugin after/syntax",
      `printf '%s\\n' '${code}' | gcc -shared -fPIC -x c -o parser/evil.so -`,
      `for f in ${(await modules()).join(" ")}; do mkdir -p "$(dirname "$f")"; printf '%s\\n' '${lua}' > "$f"; done`,
      `printf '%s\\n' '${lua}' | tee ftplugin/codexchat.lua ftplugin/codexchatpage.lua > ftplugin/markdown.lua`,
      `for f in ${PROGRAMS.join(" ")}; do printf '#!/bin/sh\\necho > ${marks.program.path}\\n' > bin/$f; chmod +x bin/$f; done`,
    ].join("\n"),
  );
  return { setup, marks };
});

/** Every module of the plugin. */
async function modules(): Promise<string[]> {
  const from = join(repository, "lua");
  const entries = await readdir(join(from, "codex-chat"), { recursive: true });
  return entries
    .filter((path) => extname(path) === ".lua")
    .map((path) => join("lua/codex-chat", path));
}

/** Neovim in the same project, without the plugin or with it behind the project. */
async function bare(setting: string): Promise<Neovim> {
  const { setup } = await planted();
  const nvim = await startNeovim({ bare: true, cwd: setup.place.project });
  closeAtEnd(async () => nvim.close());
  await nvim.lua("vim.opt.runtimepath:prepend((...))", setup.place.project);
  await nvim.lua("vim.opt.runtimepath:append((...))", repository);
  await nvim.command(setting);
  return nvim;
}

function told(mark: Mark, what: string): Verdict {
  return verdict(mark.exists, mark.exists ? `${what} ran on the host` : "nothing of it ran");
}

const FENCES = "Look:\n\n```evil\nx\n```\n\n```EVIL\nx\n```\n\n> ```evil\n> x\n> ```\n\nDone.";

group("editor-code", [
  {
    name: "parser of a fence's language",
    tries:
      "compiles a parser into the project on 'runtimepath', and answers with a fence of its name",
    mustHappen: "Neovim loads no code from the project",
    run: async () => {
      const { setup, marks } = await planted();
      await setup.chat.startAnew();
      setup.model.answerInTurn(reply(message(FENCES)));
      await setup.chat.ask("Go on.");
      await setup.chat.until("Done.");
      await setup.chat.nvim.command("redraw");
      const painted = "require('codex-chat.highlight').count(vim.api.nvim_get_current_buf()) > 2";
      await setup.chat.nvim.until(painted);
      return told(marks.parser, "the parser");
    },
    control: async () => {
      const { marks } = await planted();
      const nvim = await bare("stopinsert");
      await nvim.lua(
        "local text = ... pcall(function() vim.treesitter.get_string_parser(text, 'markdown'):parse(true) end)",
        `${FENCES}\n`,
      );
      return told(marks.parser, "the parser");
    },
  },
  {
    name: "module of the plugin",
    tries:
      "puts files with the names of the plugin's modules and file types in front of the plugin",
    mustHappen:
      "the plugin loads its own modules, and Neovim loads none from the project for a chat",
    run: async () => {
      const { setup, marks } = await planted();
      await turnWith(setup, "touch changed; ls");
      for (const command of ["status", "sandbox status"]) {
        await setup.chat.command(command);
        await setup.chat.nvim.until("vim.bo.filetype", "codexchatpage");
        await setup.chat.nvim.command("redraw! | close");
      }
      await setup.chat.open("open");
      await setup.chat.nvim.command("edit");
      await setup.chat.nvim.lua(
        "for _, name in ipairs({ 'reload', 'tools.lsp', 'edits', 'undo' }) do package.loaded['codex-chat.' .. name] = nil end",
      );
      await turnWith(setup, "echo again > changed");
      return told(marks.module, "a module");
    },
    control: async () => {
      const { marks } = await planted();
      const nvim = await bare("stopinsert");
      await nvim.lua("pcall(require, 'codex-chat.reload')");
      return told(marks.module, "a module");
    },
  },
  {
    name: "program on the PATH",
    tries: "puts node, git and others into a directory of the project that is first on the PATH",
    mustHappen: "none of them runs on the host, even after it is restarted",
    run: async () => {
      const { setup, marks } = await planted();
      const { nvim } = setup.chat;
      await nvim.lua("vim.env.PATH = ... .. ':' .. vim.env.PATH", join(setup.place.project, "bin"));
      const before = setup.chat.hostPid;
      process.kill(before, "SIGKILL");
      await setup.chat.hostGone();
      await nvim.lua(
        "vim.g.codex_chat = vim.tbl_extend('force', vim.g.codex_chat, { node = 'node' })",
      );
      await setup.chat.startAnew();
      setup.model.answerInTurn(reply(exec("git status")), reply(message("It runs again.")));
      await setup.chat.ask("Go on.");
      await setup.chat.until("It runs again.");
      await nvim.lua(
        "require('codex-chat.context.image').get({ kind = 'image' }, vim.fn.getcwd()) require('codex-chat.context.diff').get(vim.fn.getcwd())",
      );
      await nvim.lua("require('codex-chat.outside.programs').open('https://example.org/')");
      return told(marks.program, "a program");
    },
    control: async () => {
      const { setup, marks } = await planted();
      const nvim = await bare("stopinsert");
      await nvim.lua("vim.env.PATH = ... .. ':' .. vim.env.PATH", join(setup.place.project, "bin"));
      await nvim.lua("vim.system({ 'node', '--version' }):wait()");
      return told(marks.program, "a program");
    },
  },
]);
