/** Files that a program on the host runs or takes settings from; `runs` says which and when. */
export type Rule = {
  /**
   * Globs; `*` matches within a name and `**\/` any directories. `name` matches at any depth, `/name`
   * only in the project's top directory, `a/b` the end of a path, and `dir/` every file below such a
   * directory. Case is ignored.
   */
  readonly patterns: readonly string[];
  readonly runs: string;
};

/** The reason for files in the `bin` of a virtual environment. */
export const ENVIRONMENT =
  "your shell and editor run it by its name in this virtual environment, or when you enter that";

const BARE = "git runs its hooks and programs whenever it is run inside it";

/** Why a file is watched that no pattern matches: what on the host runs it, and when. */
export const REASONS = {
  bare: BARE,
  nested: `it turns its directory into a repository: ${BARE}, and by \`git status\` above it once \`git add\` has taken it in`,
  out: "it leads out of the project: a program on your machine that follows it reads or writes there",
  program: "it can be run by its name now",
  parser:
    "Neovim loads it into itself to show that language, where the project is on its 'runtimepath'",
  setId: "any user of your machine who runs it gets your rights",
  unreadable: "it is unknown which part of it your machine would run",
} as const;

/**
 * Files that run by themselves or with ordinary commands, from the manuals of the tools. A file is in
 * the table if opening, entering, building, testing or committing is enough to run it.
 */
export const RULES: readonly Rule[] = [
  // Editors and shells: on opening or entering.
  rule(".nvim.lua .nvimrc .exrc .lvimrc", "Neovim or Vim runs it on start there, with 'exrc'"),
  rule(
    `/plugin/**/*.lua /plugin/**/*.vim /ftdetect/*.lua /ftdetect/*.vim /after/ /init.lua /init.vim
    /filetype.lua /filetype.vim /scripts.vim /rplugin/ pack/*/start/ pack/*/opt/`,
    "Neovim runs it on start where the project is on its 'runtimepath'",
  ),
  rule(
    `/ftplugin/**/*.lua /ftplugin/**/*.vim /syntax/**/*.lua /syntax/**/*.vim /indent/**/*.lua
    /indent/**/*.vim /colors/*.lua /colors/*.vim /compiler/*.lua /compiler/*.vim /keymap/*.vim
    /lsp/*.lua /queries/**/*.scm /lua/**/*.lua /lua/**/*.so /autoload/**/*.vim /autoload/**/*.lua
    /spell/*.vim /lang/*.vim /import/**/*.vim`,
    "Neovim loads it when it is needed, where the project is on its 'runtimepath'",
  ),
  rule(
    "nvim/**/*.lua nvim/**/*.vim nvim/**/*.so .vimrc .gvimrc _vimrc vimrc Session.vim",
    "Neovim or Vim runs it where it is your configuration or session",
  ),
  rule(
    `.vim/ .nvim/ .neoconf.json .nlsp.json .luarc.json .luarc.jsonc .vimspector.json .projections.json
    .ccls compile_commands.json compile_flags.txt .solargraph.yml analysis_options.yaml .lsp/
    .clj-kondo/ .metals/ omnisharp.json`,
    "editors take the commands of language servers and plugins from it",
  ),
  rule(
    ".dir-locals.el .dir-locals-2.el .emacs .emacs.d/ init.el early-init.el",
    "Emacs reads it on start, or with every file of the directory",
  ),
  rule(
    `.vscode/ .idea/ .zed/ .fleet/ .helix/ .theia/ .vs/ .kakrc .kakoune/ .micro/ *.code-workspace
    *.sublime-project *.iml .kateproject`,
    "editors run its tasks and programs when the project is opened",
  ),
  rule(
    ".devcontainer/ .devcontainer.json .gitpod.yml .devfile.yaml devfile.yaml",
    "editors run its commands, some of them on your machine, when the project is opened",
  ),
  rule(
    ".envrc .envrc.local .envrc.private .direnv/",
    "direnv runs it when you enter the directory",
  ),
  rule(
    `.env .env.local .env.development .env.production .env.test .env.*.local .autoenv .autoenv.zsh
    .autoenv.fish .autoenv_leave .smartcd .in .out .lando.yml .ddev/`,
    "shell plugins and many tools take their environment from it",
  ),
  rule(
    `.tool-versions mise.toml .mise.toml mise.*.toml .mise.*.toml .mise/ mise/config.toml mise/tasks/ .config/mise/
    .config/mise.toml .config/mise.*.toml .rtx.toml mise-tasks/ .mise-tasks/ .prototools .hermit/
    .sdkmanrc .jvmrc .nvmrc .node-version .python-version .ruby-version .java-version .php-version
    .go-version .perl-version .lua-version .terraform-version .bun-version`,
    "a version manager reads it when you enter the directory, and chooses programs by it",
  ),
  rule(
    `flake.nix flake.lock shell.nix default.nix devenv.nix devenv.yaml devenv.lock devenv.local.nix
    .devenv/ devbox.json .devbox/ guix.scm manifest.scm pixi.toml`,
    "nix and similar tools run it on `nix develop`, and direnv may do so by itself",
  ),
  rule(
    `.tmuxinator.yml .tmuxp.yaml .tmuxp.yml .tmuxp.json .smug.yml .overmind.env .foreman Procfile
    Procfile.* process-compose.yml process-compose.yaml mprocs.yaml .zellij/`,
    "a session that is started from it runs its commands",
  ),
  rule(
    `.gdbinit .gdbearlyinit .lldbinit .pdbrc .pdbrc.py .irbrc .pryrc .byebugrc .rdbgrc .iex.exs .ghci
    .ocamlinit .Rprofile .Renviron .RData .psqlrc .sqliterc .mongorc.js .radare2rc .perldb .perlcriticrc
    .proverc ipython_config.py ipython_kernel_config.py jupyter_*_config.py .jupyter/ startup.jl
    .utoprc .clojure/`,
    "a debugger or a shell of a language runs it when it is started there",
  ),
  rule(
    `.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile
    .zlogin .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .xinitrc .xprofile .xsession .xsessionrc
    .inputrc .screenrc .tmux.conf tmux.conf config.fish conf.d/*.fish .gitconfig .hgrc .netrc .curlrc
    .wgetrc .mailcap .ssh/ .gnupg/ .wezterm.lua .pam_environment .xbindkeysrc`,
    "your shell, session or tools read it if your home has a link to it or a copy",
  ),
  // Other agents.
  rule(
    `.codex/ .agents/ .claude/ .cursor/ .gemini/ .windsurf/ .continue/ .aider.conf.yml .cline/ .roo/
    .roomodes .kilocode/ .kiro/ .opencode/ opencode.json opencode.jsonc .amazonq/ .junie/ .qwen/ .goose/
    .augment/ .trae/ .factory/ .amp/ .crush/ .crush.json crush.json .copilot/ .github/hooks/ .mcp.json
    mcp.json .mcphub/ .claude.json`,
    "agents outside of the sandbox read it and start the programs that it names",
  ),
  rule(
    `AGENTS.md AGENTS.override.md CLAUDE.md CLAUDE.local.md GEMINI.md QWEN.md CRUSH.md
    .cursorrules .windsurfrules .clinerules .clinerules/ .goosehints .rules .github/copilot-instructions.md
    .github/instructions/ .github/prompts/ .github/agents/ avante.md`,
    "agents outside of the sandbox follow it as your instructions",
  ),
  // Git and its hooks, and what other systems keep in the working tree.
  rule(
    ".gitattributes",
    "git runs the filters, diff and merge drivers that it chooses from your configuration",
  ),
  rule(".gitmodules .lfsconfig", "git fetches from the address that it names"),
  rule(
    `.hg/hgrc .hg/hgrc-not-shared .hg/sharedpath .hg/requires .hgsub .jj/repo/config.toml
    .jj/repo/workspace-config.toml .jj/workspace-config.toml .jj/config.toml .sl/config .bzr/branch/branch.conf
    .fossil-settings/ _darcs/prefs/ .pijul/config`,
    "the version control system of this name runs its hooks and programs on every call there",
  ),
  rule(
    `.husky/ .huskyrc .huskyrc.* .githooks/ .git-hooks/ git-hooks/ .hooks/ lefthook.* .lefthook.*
    lefthook-local.* .lefthook-local.* .lefthook/ .lefthook-local/ .pre-commit-config.yaml
    .pre-commit-config.yml .pre-commit-hooks.yaml prek.toml .overcommit.yml .overcommit.yaml
    .overcommit/ .lintstagedrc .lintstagedrc.* captainhook.json .rusty-hook.toml .cargo-husky/ hk.pkl
    .grit/ .commitlintrc .commitlintrc.* .czrc .cz.json .cz.toml .releaserc .releaserc.* .git-cz.json`,
    "git's hooks run it on commit, checkout or push",
  ),
  // What is run when you push.
  rule(
    `.github/workflows/ .github/actions/ action.yml action.yaml .gitlab-ci.yml .gitlab-ci.yaml .gitlab/
    .circleci/ .buildkite/ .woodpecker/ .woodpecker.yml .woodpecker.yaml .drone.yml .drone.star .travis.yml
    .cirrus.yml .cirrus.star .appveyor.yml appveyor.yml azure-pipelines.yml .azure-pipelines/
    bitbucket-pipelines.yml Jenkinsfile Jenkinsfile.* cloudbuild.yaml cloudbuild.yml .forgejo/ .gitea/
    .builds/ .build.yml .semaphore/ .teamcity/ .tekton/ codefresh.yml buildspec.yml netlify.toml
    vercel.json .readthedocs.yml .readthedocs.yaml render.yaml fly.toml .onedev-buildspec.yml`,
    "CI runs it, with its secrets, when you push",
  ),
  // Build tools.
  rule("Makefile GNUmakefile BSDmakefile *.mk *.mak", "make runs it"),
  rule("justfile .justfile *.just .just/", "just runs it"),
  rule("Taskfile.yml Taskfile.yaml Taskfile.*.yml Taskfile.*.yaml .taskrc.yml", "task runs it"),
  rule(
    `Rakefile Rakefile.rb *.rake Guardfile Gemfile gems.rb *.gemspec .bundle/ .gemrc .rspec .rspec-local
    Thorfile *.thor Capfile Dangerfile Fastfile fastlane/ Podfile *.podspec Brewfile Berksfile Appraisals
    Steepfile config.ru .irb.rb .simplecov .rubocop.yml .standard.yml .reek.yml .pronto.yml`,
    "ruby, bundler and the editor's language server run it",
  ),
  rule(
    `CMakeLists.txt *.cmake CMakePresets.json CMakeUserPresets.json meson.build meson.options
    meson_options.txt SConstruct SConscript configure configure.ac configure.in Makefile.am autogen.sh
    bootstrap xmake.lua premake5.lua build.ninja wscript waf conanfile.py conanfile.txt vcpkg.json *.pro *.qbs`,
    "the build runs it on configuring, and so may the editor",
  ),
  rule(
    `WORKSPACE WORKSPACE.bazel MODULE.bazel .bazelrc user.bazelrc .bazelversion
    .bazeliskrc /tools/bazel /tools/bazel.* BUCK .buckconfig .buckconfig.local pants.toml Earthfile dune
    dune-project dune-workspace *.opam Snakefile dvc.yaml`,
    "a build tool reads it on every call, and may run what it names",
  ),
  rule(
    "gradlew mvnw gradlew.bat mvnw.cmd sbtw millw",
    "it is run for a build in place of the tool",
  ),
  rule(
    `gradle/wrapper/ .mvn/ pom.xml *.gradle *.gradle.kts gradle.properties buildSrc/ build.sbt project/*.sbt
    project/*.scala project/build.properties build.sc build.mill .jvmopts .sbtopts .jvm-opts .bloop/
    .scalafix.conf build.xml ivy.xml build.boot deps.edn bb.edn shadow-cljs.edn project.clj profiles.clj`,
    "the build runs it, and so does the editor on opening the project",
  ),
  rule(
    `*.csproj *.fsproj *.vbproj *.vcxproj *.proj *.targets *.props *.sln *.slnx *.rsp NuGet.config global.json
    .config/dotnet-tools.json dotnet-tools.json *.ruleset *.globalconfig .globalconfig paket.dependencies`,
    "msbuild runs it, and so does the editor on opening the project",
  ),
  rule(
    "build.rs rust-toolchain rust-toolchain.toml Cargo.toml .cargo/config .cargo/config.toml rust-analyzer.toml clippy.toml .clippy.toml",
    "cargo runs it or what it names, and so does the editor on opening the project",
  ),
  rule("magefile.go magefiles/ .mage/", "mage runs it"),
  rule(
    "go.mod go.work .air.toml .golangci.yml .golangci.yaml .golangci.toml .golangci.json .goreleaser.yml .goreleaser.yaml .custom-gcl.yml",
    "go runs the toolchain, tools and replacements that it names, and so does the editor",
  ),
  rule(
    `mix.exs .formatter.exs .credo.exs rebar.config rebar.config.script erlang.mk Package.swift build.zig
    build.zig.zon Setup.hs Setup.lhs *.cabal cabal.project stack.yaml package.yaml hie.yaml elm.json shard.yml
    *.nimble config.nims *.nims .hxrc makefile.pl build.pl cpanfile dub.json dub.sdl *.rockspec`,
    "the build runs it, and so does the editor on opening the project",
  ),
  rule(
    "Dockerfile Dockerfile.* *.Dockerfile Containerfile Containerfile.* docker-bake.hcl docker-bake.json docker-bake.override.hcl",
    "`docker build` runs it",
  ),
  rule(
    `docker-compose.yml docker-compose.yaml docker-compose.*.yml docker-compose.*.yaml compose.yml
    compose.yaml compose.*.yml compose.*.yaml podman-compose.yml`,
    "`docker compose up` mounts and runs what it names",
  ),
  rule(
    `Vagrantfile Tiltfile tilt_config.json skaffold.yaml garden.yml okteto.yml devspace.yaml werf.yaml
    ansible.cfg fabfile.py helmfile.yaml Pulumi.yaml terragrunt.hcl .terraformrc`,
    "the tool of this name runs it or what it names",
  ),
  // Packages of languages.
  rule("package.json", "npm and its like run it on install or by name"),
  rule("composer.json", "composer runs it on install or by name"),
  rule("deno.json deno.jsonc bunfig.toml", "deno or bun runs the tasks and preloads that it names"),
  rule(
    `.npmrc .yarnrc .yarnrc.yml .yarn/releases/ .yarn/plugins/ .yarn/sdks/ .pnpmfile.cjs .pnpmfile.mjs
    pnpmfile.js pnpm-workspace.yaml .pnp.cjs .pnp.js .pnp.loader.mjs binding.gyp lerna.json nx.json turbo.json
    .moon/ moon.yml rush.json common/config/rush/ wrangler.toml wrangler.json wrangler.jsonc`,
    "npm, yarn, pnpm or the tool of this name reads it on every call, and may run what it names",
  ),
  rule(
    "setup.py noxfile.py tasks.py dodo.py hatch_build.py hatch.toml Pipfile pip.conf .pypirc uv.toml poetry.toml pdm.toml .pdm.toml .pdm-python",
    "python runs it on installing, or a task runner by name",
  ),
  rule("bin/activate bin/activate.* bin/activate_this.py", ENVIRONMENT),
  rule("pyproject.toml", "pip, test runners and the editor's language server run what it names"),
  rule(
    "conftest.py sitecustomize.py usercustomize.py *.pth pyvenv.cfg .jedi/",
    "python or pytest runs it, and so does the editor on looking for tests",
  ),
  rule(
    `pytest.ini .pytest.ini pytest.toml .pytest.toml tox.ini tox.toml setup.cfg mypy.ini .mypy.ini .pylintrc
    pylintrc .pylintrc.toml pylintrc.toml .flake8 .coveragerc .ycm_extra_conf.py .pyre_configuration
    .sourcery.yaml`,
    "test runners and linters, in the editor too, load the plugins that it names",
  ),
  // Configuration that is code: its tool runs it, and the editor runs the tool.
  rule(
    `*.config.js *.config.cjs *.config.mjs *.config.ts *.config.mts *.config.cts .*rc.js .*rc.cjs .*rc.mjs
    .*rc.ts .*rc.mts .*rc.cts *.conf.js *.conf.cjs *.conf.mjs *.conf.ts gulpfile.* Gruntfile.* Jakefile
    Jakefile.* Cakefile ember-cli-build.js .markdownlint.cjs .markdownlint.mjs .markdownlint-cli2.*
   `,
    "its tool runs it, and so may the editor's language server",
  ),
  rule(
    `.eslintrc .eslintrc.json .eslintrc.yml .eslintrc.yaml .oxlintrc.json .prettierrc .prettierrc.json
    .prettierrc.json5 .prettierrc.yml .prettierrc.yaml .prettierrc.toml .babelrc .babelrc.json
    babel.config.json .stylelintrc .stylelintrc.json .stylelintrc.yml .stylelintrc.yaml .swcrc .postcssrc
    .postcssrc.json .postcssrc.yml .mocharc .mocharc.json .mocharc.jsonc .mocharc.yml .mocharc.yaml .nycrc
    .nycrc.json .c8rc.json .taprc jest.config.json cypress.json nodemon.json .nodemonrc .remarkrc
    .remarkrc.json .remarkrc.yml .textlintrc .textlintrc.json .xo-config.json .flowconfig .ember-cli
    .sailsrc .browserslistrc .luacheckrc .busted .luacov .php-cs-fixer.php .php-cs-fixer.dist.php
    phpunit.xml phpunit.xml.dist phpstan.neon phpstan.neon.dist psalm.xml rector.php .phpcs.xml phpcs.xml
    .clangd .perltidyrc .hlint.yaml .ameba.yml .swiftlint.yml .scalafmt.conf`,
    "its tool, in the editor too, loads the plugins or programs that it names",
  ),
  rule(
    "tsconfig.json tsconfig.*.json jsconfig.json jsconfig.*.json",
    "the editor's language server loads the plugins that it names",
  ),
];

function rule(patterns: string, runs: string): Rule {
  return { patterns: patterns.trim().split(/\s+/), runs };
}

/** Directories that are not read: large, and rewritten by their tools. */
export const SKIPPED: ReadonlySet<string> = new Set(
  "node_modules target __pycache__ .gradle .next .nuxt .svelte-kit .turbo".split(" "),
);

/** Installed packages: only the files in it that Python runs on start are watched. */
export const PACKAGES = "site-packages";
