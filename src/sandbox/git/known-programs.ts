/** Programs and variables that are common in commands of git's configuration. */

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
/** Programs that run a file argument, and add endings to names. */
export const INTERPRETERS: RegExp =
  /^(node|nodejs|python[\d.]*|pypy[\d.]*|ruby[\d.]*|perl[\d.]*|php[\d.]*|deno|bun|tsx|ts-node|lua[\w.]*|sh|bash|zsh|dash|ksh|ash|fish|source|\.)$/;
/** Endings that interpreters add to a name, without dots. */
export const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/^(node|nodejs|deno|bun|tsx|ts-node)$/, "js cjs mjs ts cts mts tsx jsx json"],
  [/^py/, "py"],
  [/^ruby/, "rb"],
  [/^perl/, "pm pl"],
  [/^php/, "php"],
  [/^lua/, "lua"],
];
/** All endings that may be added to a name, with dots. */
export const ALL_ENDINGS: readonly string[] = "js cjs mjs ts py sh bash rb pl pm lua php"
  .split(" ")
  .map((ending) => `.${ending}`);
/** Programs that run a text as commands. */
export const SHELLS: RegExp = /^(sh|bash|zsh|dash|ksh|ash|fish)$/;
/** Words after which a program's name follows. */
export const WRAPPERS: ReadonlySet<string> = words(
  "! { } if then elif else while until do env exec command builtin sudo doas nice nohup time timeout xargs setsid stdbuf ionice eval flock busybox",
);
/** Programs whose output is never a path in a project. */
export const PLAIN_ANSWERS: ReadonlySet<string> = words(
  "git whoami id date hostname uname nproc tty mktemp basename wc brew xdg-user-dir tput seq expr",
);
/** Programs that print their arguments, or the paths these lead to. */
export const ECHOES: ReadonlySet<string> = words("echo printf realpath readlink cygpath wslpath");
/** Variables that the user or git sets, if the command does not. */
export const GIVEN_VARIABLES: ReadonlySet<string> = words(
  "EDITOR VISUAL PAGER BROWSER SHELL GIT_EDITOR GIT_PAGER LOCAL REMOTE BASE MERGED USER LOGNAME TMPDIR",
);
/** Variables that name directories of modules or programs. */
export const LIBRARY_VARIABLES: ReadonlySet<string> = words(
  "PYTHONPATH NODE_PATH PERL5LIB PERLLIB RUBYLIB LUA_PATH CLASSPATH GIT_EXEC_PATH GIT_TEMPLATE_DIR",
);

/** Programs that run a file in their directory, with that file's names. */
export const RUNNERS: ReadonlyMap<string, readonly string[]> = new Map(
  [
    ["make gmake", "Makefile makefile GNUmakefile"],
    ["npm npx pnpm pnpx yarn bun bunx corepack", "package.json node_modules"],
    ["deno", "deno.json deno.jsonc package.json"],
    ["just", "justfile Justfile .justfile"],
    ["task go-task", "Taskfile.yml taskfile.yml Taskfile.yaml taskfile.yaml Taskfile.dist.yml"],
    ["rake", "Rakefile rakefile Rakefile.rb rakefile.rb"],
    ["bundle", "Gemfile"],
    ["cargo", "Cargo.toml .cargo"],
    ["go", "go.mod"],
    ["composer", "composer.json"],
    ["mvn", "pom.xml"],
    ["gradle", "build.gradle build.gradle.kts settings.gradle settings.gradle.kts"],
    ["cmake ctest", "CMakeLists.txt CMakePresets.json"],
    ["ninja", "build.ninja"],
    ["mise", "mise.toml .mise.toml"],
    ["poetry uv pdm hatch tox nox pytest pipenv", "pyproject.toml tox.ini noxfile.py Pipfile"],
    ["invoke inv", "tasks.py"],
    ["pre-commit", ".pre-commit-config.yaml"],
    ["lefthook", "lefthook.yml lefthook.yaml .lefthook.yml"],
    ["mix", "mix.exs"],
    ["nix nix-shell nix-build", "flake.nix shell.nix default.nix"],
  ].flatMap(([programs = "", files = ""]) =>
    programs.split(" ").map((program) => [program, files.split(" ")] as const),
  ),
);
