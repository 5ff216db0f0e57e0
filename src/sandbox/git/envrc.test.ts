import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { filesNamedBy, type RunByItself } from "./envrc.ts";

type Case = [text: string, files: readonly string[], dirs?: readonly string[]];

function check(
  name: RunByItself,
  text: string,
  files: readonly string[],
  dirs: readonly string[] = [],
): void {
  expect(filesNamedBy(name, text)).toEqual({ files, dirs });
}

describe("an .envrc names", () => {
  it.each<Case>([
    ["source_env tools/env.sh", ["tools/env.sh", "tools/env.sh/.envrc"]],
    ["source_env ..", []],
    ["source_env_if_exists .envrc.local", [".envrc.local", ".envrc.local/.envrc"]],
    ["dotenv", [".env"]],
    ["dotenv_if_exists", [".env"]],
    ["dotenv ./config/dev.env", ["config/dev.env", "config/dev.env/.env"]],
    ["source x", ["x"]],
    ["source ./tools/a b.sh", ["tools/a"]],
    [". x", ["x"]],
    ['. "$PWD/my tools/x"', ["my tools/x"]],
    ['source "$(dirname "$0")/x.sh"', ["x.sh"]],
    ["PATH_add bin", [], ["bin"]],
    ["PATH_add bin tools/bin/", [], ["bin", "tools/bin"]],
    ["path_add PYTHONPATH lib", [], ["lib"]],
    ["export PATH=$PWD/bin:$PATH", [], ["bin"]],
    ['PATH="./tools/bin:$PATH"', [], ["tools/bin"]],
    ["use flake", ["flake.lock", "flake.nix"]],
    ["use flake . --impure", ["flake.lock", "flake.nix"]],
    ["use flake ./nix#dev", ["flake.lock", "flake.nix", "nix", "nix/flake.lock", "nix/flake.nix"]],
    [
      "use flake github:a/b",
      ["flake.lock", "flake.nix", "github:a/b", "github:a/b/flake.lock", "github:a/b/flake.nix"],
    ],
    ["use_flake", ["flake.lock", "flake.nix"]],
    ["use nix", ["default.nix", "shell.nix"]],
    ["use nix dev.nix", ["default.nix", "dev.nix", "shell.nix"]],
    ["layout node", [], ["node_modules/.bin"]],
    ["layout python3", [], [".direnv"]],
    ["layout python /usr/bin/python3.12", [], [".direnv"]],
    ["layout_poetry", [], [".venv"]],
    ["./tools/setup.sh --fast", ["tools/setup.sh"]],
    ["bash -e tools/x.sh", ["tools/x.sh"]],
    ["python -m venv .venv", []],
    ["sh -c 'echo tools/x'", []],
    ["export KEY=$(./tools/key)", ["tools/key"]],
    ['export KEY="$(cat a | tools/key b)"', ["tools/key"]],
    ["eval `x`; if [ -f y ]; then source y; fi", ["y"]],
    ["eval `tools/x` ; . `pwd`/y", ["tools/x", "y"]],
    ["A=b C='d e' tools/x.sh", ["tools/x.sh"]],
    ["has nix && use nix || source z", ["default.nix", "shell.nix", "z"]],
    ["source \\\n  tools/x", ["tools/x"]],
    ["# source x\necho hi # . y", []],
    ["echo 'source x'\nsource '/etc/x'; source ~/x; source $HOME/x; source https://x/y", []],
    ["strict_env\nsource_up\nexport A=src/b", []],
  ])("the files of %j", (...row) => check(".envrc", ...row));
});

describe("an .nvim.lua names", () => {
  it.each<Case>([
    ['dofile("tools/x.lua")', ["tools/x.lua"]],
    ["dofile 'tools/x.lua'", ["tools/x.lua"]],
    ['dofile(vim.fn.getcwd() .. "/tools/x.lua")', ["tools/x.lua"]],
    ['assert(loadfile(vim.fs.joinpath(vim.fn.getcwd(), "x.lua")))()', ["x.lua"]],
    ['pcall(dofile, "x.lua")', ["x.lua"]],
    ['vim.cmd("source tools/x.vim")', ["tools/x.vim"]],
    ["vim.cmd.source('x.vim')", ["x.vim"]],
    ["vim.cmd[[\nsource x.vim\nluafile y.lua\n]]", ["x.vim", "y.lua"]],
    [
      'require("my.mod")',
      ["lua/my/mod.lua", "lua/my/mod/init.lua", "my/mod.lua", "my/mod/init.lua"],
    ],
    [
      'package.path = "./tools/?.lua;" .. package.path\nrequire "x"',
      ["lua/x.lua", "lua/x/init.lua", "tools/x.lua", "tools/x/init.lua", "x.lua", "x/init.lua"],
      ["tools"],
    ],
    ['vim.opt.rtp:prepend(vim.fn.getcwd() .. "/nvim")', [], ["nvim"]],
    ['vim.o.path = "src/include"\nvim.g.x = "a/b.lua"', []],
    ['-- dofile("x")\n--[[ dofile("y") ]]', []],
    ['dofile("/etc/x.lua")', []],
  ])("the files of %j", (...row) => check(".nvim.lua", ...row));
});

describe.each<RunByItself>([".exrc", ".nvimrc"])("an %s names", (name) => {
  it.each<Case>([
    ["source tools/x.vim", ["tools/x.vim"]],
    [":so x.vim | set nu", ["x.vim"]],
    ["exe 'source x.vim'", ["x.vim"]],
    ["set rtp+=nvim,/usr/x", [], ["nvim"]],
    ["luafile x.lua", ["x.lua"]],
    ["lua dofile('x.lua')", ["x.lua"]],
    ["lua << EOF\ndofile('x.lua')\nEOF\nso y", ["x.lua", "y"]],
    ['" source x\nset path=src', []],
    ["source ~/x | source /etc/y", []],
  ])("the files of %j", (...row) => check(name, ...row));
});

it("names only relative paths below it, and terminates", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<RunByItself>(".envrc", ".nvim.lua", ".exrc"),
      fc.array(
        fc.constantFrom(
          ..."source |dofile(|\"|'|[[|]]|../|/|./|$(|)|`|x|\n|\\|#|--|lua << EOF\n|use flake |;|~|?".split(
            "|",
          ),
        ),
        { maxLength: 60 },
      ),
      (name, parts) => {
        const { files, dirs } = filesNamedBy(name, parts.join(""));
        for (const path of [...files, ...dirs]) expect(path).not.toMatch(/^\/|^~|^\.\.(\/|$)|^$/);
      },
    ),
    { numRuns: 2000 },
  );
  for (const unit of ["source $(", "dofile(", "[[", '"', "lua << A\n", "--[[", "((", "`"])
    for (const name of [".envrc", ".nvim.lua", ".exrc"] as const)
      filesNamedBy(name, unit.repeat((64 * 1024) / unit.length));
}, 60_000);
