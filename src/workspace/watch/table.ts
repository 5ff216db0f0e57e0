/** Files that something on the host runs or obeys, and what and when: `runs` ends a sentence. */
export type Rule = {
  /**
   * Globs, in which `*` matches within a name: `name` at any depth, `/name` in the project's top
   * directory only, `a/b` that end of a path, and `dir/` all that lies below such a directory.
   */
  readonly patterns: readonly string[];
  readonly runs: string;
};

/**
 * What a host runs by itself, or on ordinary commands. Read from the manuals of the tools; an entry
 * is here when opening, entering, building, testing or committing is enough to have it run.
 */
export const RULES: readonly Rule[] = [
  // Editors and shells: on opening or entering.
  rule(".nvim.lua .nvimrc .exrc .lvimrc", "Neovim or Vim runs it on start there, with 'exrc'"),
  rule(
    "/plugin/*.lua /plugin/*.vim /ftplugin/ /ftdetect/ /after/",
    "Neovim runs it on start where the project is on its 'runtimepath'",
  ),
  rule(
    ".vim/ .nvim/ .neoconf.json .nlsp.json .luarc.json .luarc.jsonc",
    "editors take the commands of language servers and plugins from it",
  ),
  rule(".dir-locals.el .dir-locals-2.el", "Emacs reads it with every file of the directory"),
  rule(
    ".vscode/ .idea/ .zed/ .fleet/ *.code-workspace",
    "editors run its tasks and programs when the project is opened",
  ),
  rule(
    ".devcontainer/ .devcontainer.json",
    "editors run its commands, some of them on your machine, when the project is opened",
  ),
  rule(".envrc", "direnv runs it when you enter the directory"),
  rule(
    ".env .env.local .autoenv .autoenv.zsh .autoenv.fish",
    "shell plugins and many tools take their environment from it",
  ),
  rule(
    ".tool-versions mise.toml .mise.toml mise.local.toml .mise/ .config/mise/ .config/mise.toml .rtx.toml",
    "mise or asdf obeys it when you enter the directory",
  ),
  rule(
    "flake.nix shell.nix default.nix devenv.nix devbox.json",
    "nix runs it on `nix develop`, and direnv may do so by itself",
  ),
  rule(
    ".tmuxinator.yml .tmuxp.yaml .tmuxp.yml Procfile Procfile.dev",
    "a session that is started from it runs its commands",
  ),
  rule(
    ".gdbinit .lldbinit .pdbrc .irbrc .pryrc .iex.exs .ghci .ocamlinit .Rprofile .psqlrc",
    "a debugger or a shell of a language runs it when it is started there",
  ),
  // Other agents.
  rule(
    ".codex/ .agents/ .claude/ .cursor/ .gemini/ .windsurf/ .mcp.json",
    "agents outside of the sandbox obey it, and start what it names",
  ),
  rule(
    "AGENTS.md AGENTS.override.md CLAUDE.md GEMINI.md .cursorrules .windsurfrules .github/copilot-instructions.md",
    "agents outside of the sandbox take it for your instructions",
  ),
  // Git and its hooks.
  rule(
    ".gitattributes",
    "git runs the filters, diff and merge drivers that it chooses from your configuration",
  ),
  rule(".gitmodules .lfsconfig", "git fetches from where it says"),
  rule(
    ".husky/ .githooks/ .git-hooks/ .hooks/ lefthook.* .lefthook.* .lefthook/ .pre-commit-config.yaml .pre-commit-hooks.yaml .overcommit.yml .lintstagedrc .lintstagedrc.*",
    "git's hooks run it on commit, checkout or push",
  ),
  // What is run when you push.
  rule(
    ".github/workflows/ .github/actions/ action.yml action.yaml .gitlab-ci.yml .gitlab/ .circleci/ .buildkite/ .woodpecker/ .woodpecker.yml .drone.yml .travis.yml .cirrus.yml .appveyor.yml appveyor.yml azure-pipelines.yml bitbucket-pipelines.yml Jenkinsfile cloudbuild.yaml .forgejo/ .gitea/",
    "CI runs it, with its secrets, when you push",
  ),
  // Build tools.
  rule("Makefile makefile GNUmakefile *.mk", "make runs it"),
  rule("justfile Justfile .justfile *.just", "just runs it"),
  rule("Taskfile.yml Taskfile.yaml taskfile.yml taskfile.yaml", "task runs it"),
  rule(
    "Rakefile *.rake Guardfile Gemfile *.gemspec",
    "ruby, bundler and the editor's language server run it",
  ),
  rule(
    "CMakeLists.txt *.cmake CMakePresets.json meson.build SConstruct SConscript configure configure.ac autogen.sh bootstrap",
    "the build runs it on configuring, and so may the editor",
  ),
  rule(
    "WORKSPACE WORKSPACE.bazel MODULE.bazel .bazelrc .bazelversion /tools/bazel BUCK .buckconfig",
    "bazel or buck obeys it on every call",
  ),
  rule("gradlew mvnw", "it is run for a build in place of the tool"),
  rule(
    "gradle/wrapper/ .mvn/ *.gradle *.gradle.kts gradle.properties build.sbt project/*.sbt build.sc",
    "the build runs it, and so does the editor on opening the project",
  ),
  rule(
    "*.csproj *.fsproj *.vbproj *.vcxproj *.targets *.props NuGet.config nuget.config",
    "msbuild runs it, and so does the editor on opening the project",
  ),
  rule(
    "build.rs rust-toolchain rust-toolchain.toml",
    "cargo runs it, and so does the editor on opening the project",
  ),
  rule(".cargo/config .cargo/config.toml", "cargo runs the runners and wrappers that it names"),
  rule("magefile.go magefiles/", "mage runs it"),
  rule(
    "mix.exs .formatter.exs rebar.config Package.swift build.zig project.clj Setup.hs hie.yaml dune",
    "the build runs it, and so does the editor on opening the project",
  ),
  rule(
    "Dockerfile Dockerfile.* *.Dockerfile *.dockerfile Containerfile docker-bake.hcl",
    "`docker build` runs it",
  ),
  rule(
    "docker-compose.yml docker-compose.yaml docker-compose.*.yml docker-compose.*.yaml compose.yml compose.yaml compose.*.yml compose.*.yaml",
    "`docker compose up` mounts and runs what it names",
  ),
  rule(
    "Vagrantfile Tiltfile skaffold.yaml ansible.cfg fabfile.py",
    "the tool of this name runs it",
  ),
  // Packages of languages.
  rule("package.json", "npm and its like run it on install or by name"),
  rule("composer.json", "composer runs it on install or by name"),
  rule("deno.json deno.jsonc bunfig.toml", "deno or bun runs the tasks and preloads that it names"),
  rule(
    ".npmrc .yarnrc .yarnrc.yml .yarn/releases/ .yarn/plugins/ .pnpmfile.cjs pnpmfile.js .pnp.cjs .pnp.loader.mjs binding.gyp",
    "npm, yarn or pnpm obeys it on every call",
  ),
  rule(
    "setup.py noxfile.py tasks.py dodo.py",
    "python runs it on installing, or a task runner by name",
  ),
  rule("pyproject.toml", "pip, test runners and the editor's language server run what it names"),
  rule(
    "conftest.py sitecustomize.py usercustomize.py *.pth",
    "python or pytest runs it, and so does the editor on looking for tests",
  ),
  rule(
    "pytest.ini tox.ini setup.cfg mypy.ini .mypy.ini .pylintrc pylintrc .coveragerc .ycm_extra_conf.py",
    "test runners and linters, in the editor too, load the plugins that it names",
  ),
  // Configuration that is code: its tool runs it, and the editor runs the tool.
  rule(
    "*.config.js *.config.cjs *.config.mjs *.config.ts *.config.mts *.config.cts .*rc.js .*rc.cjs .*rc.mjs .*rc.ts *.conf.js *.conf.cjs gulpfile.* Gruntfile.* .markdownlint.cjs .markdownlint-cli2.*",
    "its tool runs it, and so may the editor's language server",
  ),
  rule(
    ".eslintrc .eslintrc.json .eslintrc.yml .eslintrc.yaml .prettierrc .prettierrc.json .prettierrc.yml .prettierrc.yaml .prettierrc.toml .babelrc .babelrc.json .stylelintrc .stylelintrc.json .swcrc .rubocop.yml .luacheckrc .busted .php-cs-fixer.php .clangd .golangci.yml .golangci.yaml",
    "its tool, in the editor too, loads the plugins or programs that it names",
  ),
  rule(
    "tsconfig.json tsconfig.*.json jsconfig.json",
    "the editor's language server loads the plugins that it names",
  ),
];

function rule(patterns: string, runs: string): Rule {
  return { patterns: patterns.split(" "), runs };
}

/** Directories that are not looked into: large, and written anew by their tools. */
export const SKIPPED: ReadonlySet<string> = new Set(
  "node_modules target .venv venv __pycache__ .tox .nox .gradle .next .nuxt .svelte-kit .turbo".split(
    " ",
  ),
);
