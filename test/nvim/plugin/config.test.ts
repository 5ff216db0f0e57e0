import { mkdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { Settings } from "../../../src/session/settings/settings.ts";
import { openChat } from "../../support/chat.ts";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

const problems = "return ({ require('codex-chat.config').resolve(...) })[2]";

describe.each(neovims)("the configuration on Neovim $name", (program) => {
  it("reports an unknown key with the nearest known one, and a wrong type", async () => {
    await using nvim = await startNeovim({ program });
    expect(
      await nvim.lua(problems, {
        modle: "x",
        sandbox: { memmory: 1, env: { A: 1 } },
        approvals: "always",
        window: { size: "big" },
        keys: { send: false, stop: 3, follow: ["gf"], outline: false, yank_code: ["y", 1] },
        root_markers: "x",
        zzzzzzzzzzzz: true,
      }),
    ).toEqual([
      '`approvals` must be one of "never", "on-request", "untrusted", not "always"',
      "`keys.stop` must be a key like `<CR>`, or false, not 3",
      "`keys.yank_code` must be a key like `gf`, a list of keys, or false, not a table",
      "unknown key `modle`; did you mean `model`?",
      '`root_markers` must be a list of strings, not "x"',
      "`sandbox.env` must be a table of names and strings, not a table",
      "unknown key `sandbox.memmory`; did you mean `sandbox.memory`?",
      '`window.size` must be a number, not "big"',
      "unknown key `zzzzzzzzzzzz`; see :help codex-chat-config",
    ]);
  });

  it("reports what is wrong in an MCP server, and keeps the rest of it", async () => {
    await using nvim = await startNeovim({ program });
    const resolved = await nvim.lua(
      "local config, problems = require('codex-chat.config').resolve(...) return { config.mcp_servers, problems }",
      {
        mcp_servers: {
          a: { command: "node", comand: "x", args: "y", env: { A: "1" } },
          b: { command: "b", tools: { t: { approval_mode: "never" } } },
          c: "npx",
        },
      },
    );
    expect(resolved).toEqual([
      { a: { command: "node", env: { A: "1" } }, b: { command: "b", tools: { t: [] } } },
      [
        '`mcp_servers.a.args` must be a list of strings, not "y"',
        "unknown key `mcp_servers.a.comand`; did you mean `mcp_servers.a.command`?",
        '`mcp_servers.b.tools.t.approval_mode` must be one of "auto", "prompt", "approve", not "never"',
        '`mcp_servers.c` must be a table, not "npx"',
      ],
    ]);
  });

  it("accepts mounts as paths or tables, and reports what is wrong in one", async () => {
    await using nvim = await startNeovim({ program });
    const [mounts, wrong] = await nvim.lua<[{ source: string }[], string[]]>(
      "local config, problems = require('codex-chat.config').resolve(...) return { config.sandbox.mounts, problems }",
      {
        sandbox: { mounts: ["/data/", "~/x", { source: "/lib", target: "/opt/lib", write: true }] },
      },
    );
    expect(mounts).toEqual([
      { source: "/data" },
      { source: expect.stringMatching(/^\/.*\/x$/) },
      { source: "/lib", target: "/opt/lib", write: true },
    ]);
    expect(wrong).toEqual([]);
    expect(await nvim.lua(problems, { sandbox: { mounts: [1, { sorce: "/a" }] } })).toEqual([
      "`sandbox.mounts[1]` must be a string or a table, not 1",
      "unknown key `sandbox.mounts[2].sorce`; did you mean `sandbox.mounts[2].source`?",
    ]);
    expect(await nvim.lua(problems, { sandbox: { mounts: "/a" } })).toEqual([
      '`sandbox.mounts` must be a list, not "/a"',
    ]);
  });

  it("is reported when it is wrong, and the chat still opens", async () => {
    await using chat = await openChat({ program, config: { modle: "x" } });
    expect(await chat.nvim.messages()).toContain("unknown key `modle`; did you mean `model`?");
  });

  it("knows every setting of the host", async () => {
    await using nvim = await startNeovim({ program });
    const { limits, sandbox } = Settings.shape;
    const keysOf = (shape: object) =>
      Object.fromEntries(Object.keys(shape).map((key) => [key, []]));
    const all = {
      ...keysOf(Settings.shape),
      limits: keysOf(limits.unwrap().shape),
      sandbox: keysOf(sandbox.unwrap().shape),
    };
    const found = await nvim.lua<string[]>(problems, all);
    expect(found.filter((problem) => problem.includes("unknown"))).toEqual([]);
  });

  it("has the defaults that the manual lists", async () => {
    await using nvim = await startNeovim({ program });
    const manual = await readFile(join(repository, "doc/codex-chat.txt"), "utf8");
    const source = /^ {4}vim\.g\.codex_chat = (\{\n[\s\S]*?^ {4}\})/m.exec(manual)?.[1] ?? "";
    expect(await nvim.lua(problems, await nvim.lua(`return ${source}`))).toEqual([]);
    const differing = await nvim.lua(
      `local said, config = ${source}, require("codex-chat.config").resolve({})
       local differing = {}
       for key, value in pairs(said) do
         -- What Lua does not know a default of is the host's.
         if config[key] ~= nil and not vim.deep_equal(config[key], value) then
           differing[#differing + 1] = key
         end
       end
       return differing`,
    );
    expect(differing).toEqual([]);
    const { limits, sandbox } = Settings.parse({ state_dir: "/x" });
    expect(await nvim.lua(`return (${source}).limits`)).toEqual(limits);
    expect(
      await nvim.lua(
        `return vim.tbl_extend("force", (${source}).sandbox, { env = vim.empty_dict() })`,
      ),
    ).toEqual(sandbox);
  });

  it("may also come from setup(), in whole or in part", async () => {
    await using host = await TestHost.start();
    await using nvim = await startNeovim({ program });
    await nvim.lua("require('codex-chat').setup(...)", {
      host_cmd: host.command,
      model: "of setup",
    });
    await nvim.command("CodexChat");
    expect((await host.heard("chat/open")).settings["model"]).toBe("of setup");
  });

  it("leaves alone keys that the user has mapped for the file type or set to false", async () => {
    await using chat = await openChat({
      program,
      config: { keys: { stop: false } },
      args: [
        ...["-c", "autocmd FileType codexchat nnoremap <buffer> <CR> <Cmd>let g:mine = 1<CR>"],
        ...["-c", "autocmd FileType codexchat nnoremap <buffer> ]a <Cmd>let g:mine = 2<CR>"],
      ],
    });
    const { nvim } = chat;
    await nvim.keys("typed<Esc><CR>");
    await nvim.until("vim.g.mine", 1);
    await nvim.keys("]a");
    await nvim.until("vim.g.mine", 2);
    expect(await nvim.lua("return vim.fn.maparg('<C-c>', 'n')")).toBe("");
    expect(chat.host.of("turn/send")).toEqual([]);
  });

  it("uses the picked model as the default, unless it names one", async () => {
    await using nvim = await startNeovim({ program });
    const settings = "return require('codex-chat.config').host_settings()";
    expect(await nvim.lua(settings)).not.toHaveProperty("model");
    await nvim.lua("assert(require('codex-chat.commands.model').write_default('picked', 'high'))");
    expect(await nvim.lua(settings)).toMatchObject({ model: "picked", effort: "high" });
    await nvim.lua(
      "vim.g.codex_chat = vim.tbl_extend('force', vim.g.codex_chat or {}, { model = 'named' })",
    );
    expect(await nvim.lua(settings)).toMatchObject({ model: "named", effort: "high" });
  });

  it("completes subcommands, and lists them", async () => {
    await using nvim = await startNeovim({ program });
    const names = await nvim.lua<string[]>("return vim.fn.getcompletion('CodexChat ', 'cmdline')");
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(expect.arrayContaining(["accept", "fork", "open", "send", "threads"]));
    expect(await nvim.lua("return vim.fn.getcompletion('CodexChat t', 'cmdline')")).toEqual([
      "terminals",
      "threads",
      "toggle",
    ]);
    expect(await nvim.lua("return vim.fn.getcompletion('CodexChat sandbox ', 'cmdline')")).toEqual(
      expect.arrayContaining(["allow", "status", "stop"]),
    );
    await expect(nvim.command("CodexChat nonsense")).rejects.toThrow(
      "there is no `:CodexChat nonsense`. `:CodexChat help` lists the commands.",
    );
    await expect(nvim.command("CodexChat opne")).rejects.toThrow(
      "there is no `:CodexChat opne`; did you mean `open`? `:CodexChat help` lists the commands.",
    );
  });
});

describe.each(neovims)("a project on Neovim $name", (program) => {
  const root = "return require('codex-chat.project').root(...)";

  it("is the git top level (also of a worktree), else a marker's directory, else the directory itself", async () => {
    await using nvim = await startNeovim({ program });
    const dir = nvim.cwd;
    await execa("git", ["init", "-q"], { cwd: dir });
    await mkdir(join(dir, "src/deep"), { recursive: true });
    expect(await nvim.lua(root, join(dir, "src/deep"))).toBe(dir);
    const identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
    await execa("git", [...identity, "commit", "-q", "--allow-empty", "-m", "x"], { cwd: dir });
    await execa("git", ["worktree", "add", "-q", "tree"], { cwd: dir });
    await mkdir(join(dir, "tree/src"));
    expect(await nvim.lua(root, join(dir, "tree/src"))).toBe(join(dir, "tree"));
    await mkdir(join(nvim.home, "plain/below"), { recursive: true });
    expect(await nvim.lua(root, join(nvim.home, "plain/below"))).toBe(
      join(nvim.home, "plain/below"),
    );
    await writeFile(join(nvim.home, "plain/go.mod"), "");
    expect(await nvim.lua(root, join(nvim.home, "plain/below"))).toBe(join(nvim.home, "plain"));
    await symlink(join(nvim.home, "plain"), join(nvim.home, "link"));
    expect(await nvim.lua(root, join(nvim.home, "link/below"))).toBe(join(nvim.home, "plain"));
  });

  it("opens the conversation that was written last", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.keys("<Esc>");
    await mkdir(dirname(chat.path), { recursive: true });
    const paths = ["b.md", "a.md", "c.md"].map((name) => join(dirname(chat.path), name));
    for (const [n, path] of paths.entries()) {
      await writeFile(path, `## You\n\n${n}\n`);
      await utimes(path, 1000 + n, n === 1 ? 3000 : 1000 + n);
    }
    await using second = await startNeovim({
      program,
      home: nvim.home,
      cwd: nvim.cwd,
      config: { host_cmd: host.command },
    });
    await second.command("CodexChat");
    expect((await host.heard("chat/open", 2)).path).toBe(paths[1]);
  });

  it("gives a second Neovim its own conversation, and says why", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.send("mine");
    await nvim.keys("<Esc>");
    await nvim.command("write");
    const stat = await nvim.lua<string>(
      "return vim.fn.readfile('/proc/' .. ... .. '/stat')[1]",
      nvim.pid,
    );
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    await writeFile(`${chat.path}.lock`, JSON.stringify({ pid: nvim.pid, startTime }));
    const options = { program, home: nvim.home, cwd: nvim.cwd, config: { host_cmd: host.command } };
    {
      await using second = await startNeovim(options);
      await second.command("CodexChat");
      expect((await host.heard("chat/open", 2)).path).not.toBe(chat.path);
      expect(await second.messages()).toContain("open in another Neovim");
    }
    // A lock whose owner is gone, or whose pid is another's by now, binds nobody.
    await writeFile(`${chat.path}.lock`, JSON.stringify({ pid: nvim.pid, startTime: "1" }));
    await using third = await startNeovim(options);
    await third.command("CodexChat");
    expect((await host.heard("chat/open", 3)).path).toBe(chat.path);
  });

  it("keeps its conversations in the repository if configured so", async () => {
    await using chat = await openChat({ program, config: { history_dir: "notes/codex" } });
    expect(dirname(chat.path)).toBe(join(chat.nvim.cwd, "notes/codex"));
    await chat.send("kept here");
    await chat.nvim.keys("<Esc>");
    await chat.nvim.command("write");
    await chat.nvim.command("edit!");
    expect(await chat.nvim.lua("return { vim.bo.filetype, vim.bo.buftype }")).toEqual([
      "codexchat",
      "acwrite",
    ]);
  });
});
