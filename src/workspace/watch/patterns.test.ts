import { describe, expect, it } from "vitest";
import { pathMatcher } from "./matcher.ts";
import { RULES } from "./patterns.ts";

const matcher = pathMatcher([]);

/** What runs a file: by its own name, or by a directory above it. */
function runs(path: string): string | undefined {
  const names = path.split("/");
  for (let n = 1; n < names.length; n++) {
    const above = matcher.dirRuns(names.slice(0, n).join("/"));
    if (above !== undefined) return above;
  }
  return matcher.fileRuns(path);
}

/** A path that a pattern stands for. */
function exampleOf(pattern: string): string {
  const path = pattern.replaceAll("**/", "some/deep/").replaceAll("*", "x").replace(/^\//, "");
  return path.endsWith("/") ? `${path}some/file` : path;
}

const PATTERNS = RULES.flatMap(({ patterns }) => patterns);

describe("each pattern of the table", () => {
  it("exists once, and is a name or glob", () => {
    expect(new Set(PATTERNS).size).toBe(PATTERNS.length);
    expect(
      PATTERNS.filter((pattern) => !/^\/?(?:[\w.*+-]+\/)*(?:[\w.*+-]+)?\/?$/.test(pattern)),
    ).toEqual([]);
    expect(PATTERNS).not.toContain("");
  });

  it("matches its example, in either case, and below directories of any bytes", () => {
    const below = (pattern: string) =>
      pattern.startsWith("/") ? [] : [`sub/${exampleOf(pattern)}`, `\xff\n/${exampleOf(pattern)}`];
    const missed = PATTERNS.flatMap((pattern) =>
      [exampleOf(pattern), exampleOf(pattern).toUpperCase(), ...below(pattern)].filter(
        (path) => runs(path) === undefined,
      ),
    );
    expect(missed).toEqual([]);
  });

  it("for the top directory matches nothing below", () => {
    const top = PATTERNS.filter((pattern) => pattern.startsWith("/"));
    const found = top.filter((pattern) => runs(`src/${exampleOf(pattern)}`) !== undefined);
    expect(found).toEqual([]);
  });
});

describe("a file that the host runs", () => {
  it.each([
    ["plugin/sub/x.lua", "Neovim runs it on start"],
    ["plugin/a/b/c.vim", "Neovim runs it on start"],
    ["after/plugin/x.lua", "Neovim runs it on start"],
    ["pack/mine/start/x/plugin/x.lua", "Neovim runs it on start"],
    ["init.lua", "Neovim runs it on start"],
    ["lua/x/y.lua", "Neovim loads it"],
    ["lua/native.so", "Neovim loads it"],
    ["autoload/x.vim", "Neovim loads it"],
    ["syntax/git.vim", "Neovim loads it"],
    ["indent/x.lua", "Neovim loads it"],
    ["colors/x.lua", "Neovim loads it"],
    ["compiler/x.vim", "Neovim loads it"],
    ["keymap/x.vim", "Neovim loads it"],
    ["lsp/x.lua", "Neovim loads it"],
    ["queries/lua/injections.scm", "Neovim loads it"],
    ["ftplugin/markdown/x.lua", "Neovim loads it"],
    ["rplugin/python3/x.py", "Neovim runs it on start"],
    ["dotfiles/nvim/lua/x.lua", "where it is your configuration"],
    [".direnv/nix.rc", "direnv runs it"],
    ["a/b/.direnv/bin/x", "direnv runs it"],
    [".hg/hgrc", "version control"],
    ["sub/.jj/repo/config.toml", "version control"],
    [".helix/languages.toml", "editors run"],
    [".zed/tasks.json", "editors run"],
    [".bundle/config", "bundler"],
    ["nodemon.json", "loads the plugins or programs"],
    ["go.mod", "toolchain"],
    ["go.work", "toolchain"],
    ["Cargo.toml", "cargo runs"],
    [".cargo/config.toml", "cargo runs"],
    ["rust-toolchain.toml", "cargo runs"],
    [".python-version", "version manager"],
    ["mise.local.toml", "version manager"],
    [".rspec", "ruby"],
    [".pryrc", "a debugger or a shell"],
    [".lldbinit", "a debugger or a shell"],
    [".claude/settings.json", "agents outside"],
    [".gemini/settings.json", "agents outside"],
    ["lefthook-local.yml", "git's hooks"],
    [".pnpmfile.cjs", "npm"],
    ["pnpm-workspace.yaml", "npm"],
    ["JUSTFILE", "just runs it"],
    ["dockerfile", "`docker build` runs it"],
    ["taskfile.dist.yaml", "task runs it"],
    ["App.SLN", "msbuild"],
    ["jupyter_notebook_config.py", "a debugger or a shell"],
    [".nvim/x", "language servers"],
    ["x.code-workspace", "editors run"],
    ["devenv.nix", "nix"],
    ["pom.xml", "the build runs it"],
    [".zshrc", "your shell"],
  ])("may be %s", (path, words) => {
    expect(runs(path)).toContain(words);
  });

  it("is never an ordinary file", () => {
    const ordinary = `
      README.md CHANGELOG.md LICENSE docs/index.md docs/plugin/guide.md makefile.md x.envrc envrc
      src/index.ts src/a.js src/App.tsx src/plugin/index.ts src/plugin/x.lua plugin/main.go
      plugin/README.md plugins/x.lua lib/plugin.rb parser/parser.go parser/lexer.c lua.md
      src/lua/x.lua syntax/tree.py indent/a.c colors/red.css lsp/server.ts compiler/ast.rs
      compiler/codegen/x.cpp queries/users.sql autoload/x.php lang/en.json spell/check.py
      import/data.csv keymap/us.json main.go internal/mod.go go.sum package-lock.json yarn.lock
      pnpm-lock.yaml Cargo.lock poetry.lock uv.lock Gemfile.lock composer.lock src/main.rs src/lib.rs
      tests/test_x.py app/models.py manage.py requirements.txt src/build.ts build/out.js env.ts
      .gitignore .dockerignore .editorconfig .npmignore .env.example .gitkeep index.html style.css
      data.json config.json config.yaml settings.toml app.config src/config.ts rc.js a.conf
      test/fixtures/x.json images/a.png src/Makefile.ts src/docker.ts scripts/run.sh bin/x.txt
      workspace.ts hooks/useThing.ts hooks.py hg.py jj.md src/main/java/App.java App.cs x.kt y.swift
      z.ex w.hs v.ml u.nim t.zig s.jl r.R q.pl p.php o.sql n.proto m.graphql l.tf k.vue j.svelte
      nvim.md docs/nvim/index.md vim/README mise.md direnv.md claude.md.bak Agents.ts profile.ts`
      .trim()
      .split(/\s+/);
    expect(ordinary.filter((path) => runs(path) !== undefined)).toEqual([]);
  });

  it("is found from a directory above it", () => {
    const above = [".github", ".cargo", "sub/.hg", "gradle", "plugin", "plugin/a/b", ".vscode/x"];
    expect(above.filter((path) => !matcher.leads(path))).toEqual([".vscode/x"]);
    expect(["src", "docs", "src/plugin", ".github/x"].filter(matcher.leads)).toEqual([]);
  });
});
