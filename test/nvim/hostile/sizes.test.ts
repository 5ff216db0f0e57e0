import {
  chmod,
  mkdir,
  mkdtemp,
  realpath,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../support/chat.ts";
import { SECRET } from "../../support/in-project.ts";
import { neovims } from "../../support/neovim.ts";

async function freshDir(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-sizes-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const config = { window: { startinsert: false } };

describe.each(neovims)("what a project holds, on Neovim $name,", (program) => {
  it("takes no quadratic time on runs of spaces", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    const blanks = " ".repeat(200_000);
    for (let i = 0; i < 20; i++) {
      const dir = join(nvim.cwd, ".agents/skills", `s${i}`);
      await mkdir(dir, { recursive: true });
      await writeFile(
        join(dir, "SKILL.md"),
        `---\nname: s${i}\ndescription: a${" ".repeat(8000)}b\n---\n`,
      );
    }
    const took = await nvim.lua<number[]>(
      `local blanks, root = ...
       local took = {}
       local function time(fn)
         local began = os.clock()
         fn()
         table.insert(took, (os.clock() - began) * 1000)
       end
       time(function() require("codex-chat.context.bounds").line("a" .. blanks .. "b") end)
       time(function() require("codex-chat.context.skill").list(root) end)
       time(function()
         require("codex-chat.context.listing").diagnostic_lines({
           { bufnr = 0, lnum = 0, col = 0, message = "a" .. blanks .. "b" } }, root)
       end)
       return took`,
      blanks,
      nvim.cwd,
    );
    for (const ms of took) expect(ms).toBeLessThan(500);
    const line = "return require('codex-chat.context.bounds').line('a  \\n\\n  b\\tc')";
    expect(await nvim.lua(line)).toBe("a b c");
  });

  it("is not reloaded once it is very large, which is reported once", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    const path = join(nvim.cwd, "a.txt");
    await writeFile(path, "small\n");
    await nvim.command(`wincmd p | edit ${path}`);
    const reload = `require("codex-chat.reload").reload({ root = ... })
      return vim.api.nvim_buf_get_offset(0, vim.api.nvim_buf_line_count(0))`;
    await truncate(path, 30 * 1024 * 1024);
    expect(await nvim.lua(reload, nvim.cwd)).toBe(6);
    expect(await nvim.lua(reload, nvim.cwd)).toBe(6);
    const said = (await nvim.messages()).replaceAll("\n", "");
    expect(said.split("a.txt has 30 MB now and was not loaded again")).toHaveLength(2);
    await writeFile(path, "larger than before\n".repeat(100));
    expect(await nvim.lua(reload, nvim.cwd)).toBe(1900);
  });

  it("is compared with a large buffer only when a tool asks", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    const path = join(nvim.cwd, "big.log");
    await writeFile(path, "a line of text\n".repeat(200_000));
    const looks = await nvim.lua<number>(
      `local look, n = require("codex-chat.disk.look"), 0
       local read = look.read_open
       look.read_open = function(...) n = n + 1 return read(...) end
       vim.cmd("wincmd p") vim.cmd.edit(...)
       look.read_open = read
       return n`,
      path,
    );
    expect(looks).toBe(0);
    const inside =
      "return require('codex-chat.context.paths').was_inside(vim.api.nvim_get_current_buf(), ...)";
    expect(await nvim.lua(inside, nvim.cwd)).toBe(true);
    await nvim.command("edit");
    await writeFile(path, "another text\n".repeat(200_000));
    expect(await nvim.lua(inside, nvim.cwd)).toBe(false);
  });

  it("gives git no more copies than its index names", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    const root = nvim.cwd;
    await rm(join(root, ".git"), { recursive: true });
    const git = (...args: string[]) => execa("git", ["-C", root, ...args]);
    await git("init", "-q");
    await writeFile(join(root, "a"), "x\n");
    await git("add", "a");
    const open = `local view, err = require("codex-chat.git.view").open(...)
      if not view then return { err } end
      local names = {}
      for name in vim.fs.dir(view.dir) do names[#names + 1] = name end
      require("codex-chat.git.view").close(view)
      table.sort(names)
      return vim.tbl_filter(function(name) return name:find("index") end, names)`;
    for (let i = 0; i < 6; i++) {
      const path = join(root, `.git/sharedindex.${String(i).padStart(40, "0")}`);
      await writeFile(path, "");
      await truncate(path, 60 * 1024 * 1024);
    }
    expect(await nvim.lua(open, root)).toEqual(["index"]);
    await git("update-index", "--split-index");
    const split = (await nvim.lua(open, root)) as string[];
    expect(split).toEqual(["index", expect.stringMatching(/^sharedindex\.(?!0{30})/)]);
    await truncate(join(root, ".git", split[1] ?? ""), 65 * 1024 * 1024);
    expect(await nvim.lua(open, root)).toEqual([
      expect.stringContaining("its index is larger than 64 MB"),
    ]);
  });

  it("runs nothing when the clipboard's text is read", async () => {
    const base = await freshDir();
    const cwd = join(base, "project");
    await mkdir(join(cwd, ".git"), { recursive: true });
    await mkdir(join(cwd, "bin"));
    await mkdir(join(cwd, "autoload/provider"), { recursive: true });
    await writeFile(
      join(cwd, "autoload/provider/clipboard.vim"),
      `call writefile(['x'], '${base}/mark')\n`,
    );
    const script = `#!/bin/sh\necho ran >> ${base}/mark\necho text\n`;
    for (const name of ["wl-paste", "wl-copy", "xclip", "xsel", "pbpaste", "pbcopy", "tmux"]) {
      await writeFile(join(cwd, "bin", name), script);
      await chmod(join(cwd, "bin", name), 0o755);
    }
    const env = {
      PATH: `${cwd}/bin:${process.env["PATH"]}`,
      DISPLAY: ":77",
      WAYLAND_DISPLAY: "w",
      TMUX: "x",
    };
    const ask = `pcall(require("codex-chat.context.listing").of_clipboard)
      return vim.uv.fs_stat(... .. "/mark") ~= nil`;
    for (const args of [[], ["--cmd", `set runtimepath^=${cwd}`]]) {
      await using chat = await openChat({ program, config, cwd, env, args });
      expect(await chat.nvim.lua(ask, base)).toBe(false);
      // The control: Neovim by itself.
      await chat.nvim.lua("pcall(vim.fn.getreg, '+')");
      expect(await chat.nvim.lua("return vim.uv.fs_stat(... .. '/mark') ~= nil", base)).toBe(true);
      await rm(join(base, "mark"));
    }
  });

  it("is named by no environment variable that a program gets, whatever the variable", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    const bad = {
      OPENSSL_CONF: "P/openssl.cnf",
      NODE_EXTRA_CA_CERTS: "P/ca.pem",
      LD_AUDIT: "P/evil.so",
      SOMETHING_NEW: "-I/usr/lib -IP/lib",
      SPACED: "/usr:P/with a blank",
      RELATIVE: "./x.cnf",
      A_URL: "file://P/x",
      PERL5LIB: "P/lib",
    };
    const good = {
      TZ: "Europe/Berlin",
      PWD: "P",
      VIRTUAL_ENV: "P/.venv",
      DIRENV_DIR: "-P",
      ELSEWHERE: "/usr/share/x",
      PYTHONPATH: "/usr/lib:P/lib",
    };
    const env = await nvim.lua<Record<string, string>>(
      `vim.cmd.cd((...))
       for name, value in pairs(select(2, ...)) do vim.env[name] = value:gsub("P", (...)) end
       return require("codex-chat.outside.programs").env()`,
      nvim.cwd,
      { ...bad, ...good },
    );
    for (const name of Object.keys(bad)) expect([name, env[name]]).toEqual([name, ""]);
    expect(env["PYTHONPATH"]).toBe("/usr/lib");
    const argv = `vim.env.GIT_EXEC_PATH = ... .. "/git-core"
      local argv = require("codex-chat.outside.programs").argv("git")
      return vim.system(vim.list_extend(argv, { "--exec-path" }), { text = true }):wait().stdout`;
    expect(await nvim.lua(argv, nvim.cwd)).toMatch(/^\/usr/);
    for (const name of ["TZ", "PWD", "VIRTUAL_ENV", "DIRENV_DIR", "ELSEWHERE"])
      expect(env).not.toHaveProperty(name);
  });

  it("is read through a user's symlink only if that ends in the project", async () => {
    const own = await freshDir();
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    await writeFile(join(own, "secret"), SECRET);
    await writeFile(join(nvim.cwd, "plain"), "of the project\n");
    await writeFile(join(nvim.cwd, ".env"), SECRET);
    await symlink(join(own, "secret"), join(nvim.cwd, "to-secret"));
    await symlink(".env", join(nvim.cwd, "to-env"));
    await writeFile(join(own, "file"), "of the user's\n");
    await symlink("file", join(own, "own"));
    for (const name of ["plain", "to-secret", "to-env"])
      await symlink(join(nvim.cwd, name), join(own, name));
    const read = (name: string) =>
      nvim.lua<(string | null)[]>(
        "local text, err = require('codex-chat.outside.named_file').read(..., 1024) return { text or '', err or '' }",
        join(own, name),
      );
    expect(await read("own")).toEqual(["of the user's\n", ""]);
    expect(await read("plain")).toEqual(["of the project\n", ""]);
    expect(await read("to-secret")).toEqual([
      "",
      expect.stringContaining(`the link ${own}/to-secret leads into the project ${nvim.cwd}`),
    ]);
    expect(await read("to-env")).toEqual(["", expect.stringContaining("name that one instead")]);
  });

  it("is not run by a user's script that runs others", async () => {
    const own = await freshDir();
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    await mkdir(join(own, "ftplugin"));
    await writeFile(join(nvim.cwd, "evil.vim"), "let g:fired = 1\n");
    await writeFile(join(own, "ftplugin", "codexchat.vim"), "runtime! ftplugin/markdown.vim\n");
    await symlink(join(nvim.cwd, "evil.vim"), join(own, "ftplugin", "markdown.vim"));
    await nvim.lua(
      `vim.opt.runtimepath:prepend(...)
       vim.cmd("filetype plugin on")
       require("codex-chat.outside.runtime").set_filetype(vim.api.nvim_create_buf(false, true), "codexchat")`,
      own,
    );
    expect(await nvim.lua("return vim.g.fired")).toBe(null);
    // The control: Neovim by itself.
    await nvim.lua("vim.bo[vim.api.nvim_create_buf(false, true)].filetype = 'codexchat'");
    expect(await nvim.lua("return vim.g.fired")).toBe(1);
  });
});
