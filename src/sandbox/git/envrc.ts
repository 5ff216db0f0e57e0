/**
 * The files that start-up files of direnv and Neovim run. `.envrc` and the like are read-only inside,
 * but `source_env tools/env.sh` in one runs a file that is not.
 */
import { normalize } from "node:path";

/** The start-up files. */
export type RunByItself = ".envrc" | ".nvim.lua" | ".exrc" | ".nvimrc";

/** Relative paths, without `./` in front; the files may be absent. */
export type NamedFiles = {
  readonly files: readonly string[];
  /** Directories whose programs or modules are run. */
  readonly dirs: readonly string[];
};

type Found = { readonly files: Set<string>; readonly dirs: Set<string> };

/**
 * The files and directories of the project that a start-up file runs, sources or depends on, found in
 * its text. Reads no file. Paths are relative to the start-up file's directory. Meant for texts of up
 * to 64 KiB: a larger hostile text could take long.
 *
 * SECURITY: the text is the user's. A path that is computed by a variable or program is not found.
 */
export function filesNamedBy(name: RunByItself, text: string): NamedFiles {
  const found: Found = { files: new Set(), dirs: new Set() };
  if (name === ".envrc") ofShell(text, found);
  else if (name === ".nvim.lua") ofLua(text, found);
  else ofVim(text, found);
  return { files: [...found.files].sort(), dirs: [...found.dirs].sort() };
}

/** The ways in which a path begins at the file's directory. */
const OWN_DIR =
  /^(?:\$\{?PWD\}?|\$\(pwd\)|\$\(dirname \S+\)|\$\{BASH_SOURCE%\/\*\}|%:p:h|<sfile>(?::p)?:h)\//;

function add(into: Set<string>, word: string): void {
  const path = normalize(word.replace(OWN_DIR, "")).replace(/\/$/, "");
  // An option, a variable, a pattern, an address, or a path outside of the directory.
  if (path === "" || path === "." || /^[-/~]|^\.\.(?:\/|$)|[$*?`\n\0]|:\//.test(path)) return;
  into.add(path);
}

/** Functions of direnv (2.34, stdlib.sh) and of the shell that take files, and how many. */
const FILES_OF: Readonly<Record<string, number>> = {
  ".": 1,
  source: 1,
  source_env: 1,
  source_env_if_exists: 1,
  dotenv: 1,
  dotenv_if_exists: 1,
};
const INTERPRETERS = /^(?:sh|bash|dash|zsh|python[\d.]*|node|ruby|perl|lua|deno|bun)$/;
const TAKES_DIRS: ReadonlySet<string> = new Set(["PATH_add", "load_prefix", "watch_dir"]);

/** Files that `use …` reads; direnv's stdlib.sh, nix-direnv 3.0, devenv 1.3. */
const USED: Readonly<Record<string, readonly string[]>> = {
  flake: ["flake.nix", "flake.lock"],
  nix: ["shell.nix", "default.nix"],
  guix: ["guix.scm", "manifest.scm", "channels.scm"],
  devenv: ["devenv.nix", "devenv.yaml", "devenv.lock"],
  devbox: ["devbox.json", "devbox.lock"],
  asdf: [".tool-versions"],
  mise: ["mise.toml", ".mise.toml", ".tool-versions"],
};

/** Directories that `layout …` puts on the PATH; stdlib.sh. Files that package managers write are left out. */
const LAYOUTS: Readonly<Record<string, NamedFiles>> = {
  node: { files: [], dirs: ["node_modules/.bin"] },
  php: { files: [], dirs: ["vendor/bin"] },
  go: { files: [], dirs: [".direnv", "bin"] },
  ruby: { files: [], dirs: [".direnv"] },
  perl: { files: [], dirs: [".direnv"] },
  python: { files: [], dirs: [".direnv"] },
  pyenv: { files: [], dirs: [".direnv"] },
  pipenv: { files: [], dirs: [] },
  poetry: { files: [], dirs: [".venv"] },
  uv: { files: [], dirs: [".venv"] },
  anaconda: { files: ["environment.yml", "environment.yaml"], dirs: [] },
  opam: { files: [], dirs: ["_opam"] },
};

function ofShell(text: string, found: Found): void {
  for (const [command = "", ...words] of commandsOf(text)) {
    const count = FILES_OF[command];
    if (count !== undefined) named(command, words.slice(0, count), found);
    else if (INTERPRETERS.test(command)) script(words, found);
    else if (TAKES_DIRS.has(command)) for (const word of words) add(found.dirs, word);
    else if (command === "path_add") for (const word of words.slice(1)) add(found.dirs, word);
    else if (/^(?:use|layout)(?:_|$)/.test(command)) chosen([command, ...words], found);
    else if (command.includes("/") && !command.includes("=")) add(found.files, command);
    for (const word of [command, ...words])
      for (const dir of /^[A-Z_]*PATH\+?=(.*)$/s.exec(word)?.[1]?.split(":") ?? [])
        add(found.dirs, dir);
  }
}

function named(command: string, words: readonly string[], { files }: Found): void {
  // In a directory, the file of the usual name.
  const own = command.startsWith("dotenv") ? ".env" : ".envrc";
  const isOfDirectory = /^(?:dotenv|source_env)/.test(command);
  if (words.length === 0 && command.startsWith("dotenv")) files.add(own);
  for (const word of words) {
    add(files, word);
    if (isOfDirectory) add(files, `${word}/${own}`);
  }
}

/** `bash -e tools/x.sh`, and not `python -m venv .venv` or `sh -c …`. */
function script(words: readonly string[], { files }: Found): void {
  const at = words.findIndex((word) => !word.startsWith("-"));
  if (at < 0 || words.slice(0, at).some((word) => /^-\w*[cme]$/.test(word) && word !== "-e"))
    return;
  add(files, words[at] ?? "");
}

/** `use flake ./nix#shell`, `layout python`; also as `use_flake` and `layout_python`. */
function chosen(words: readonly string[], { files, dirs }: Found): void {
  const [command = "", what = "", ...rest] = words.join(" ").replace("_", " ").split(" ");
  const key = what.replace(/_if_exists$|[\d.]+$/g, "");
  const known = command === "use" ? { files: USED[key] ?? [], dirs: [] } : LAYOUTS[key];
  for (const name of known?.files ?? []) files.add(name);
  for (const name of known?.dirs ?? []) dirs.add(name);
  for (const word of rest) {
    const path = word.replace(/^path:/, "").replace(/#.*$/, "");
    if (!/[./]/.test(path)) continue;
    add(files, path);
    if (key === "flake") for (const name of USED["flake"] ?? []) add(files, `${path}/${name}`);
  }
}

/** Words that may come before a command. */
const BEFORE =
  /^(?:if|then|else|elif|while|until|do|!|\{|time|builtin|command|exec|eval|env|(?!\w*PATH)\w+=.*)$/;

/** The words of one command. */
type Command = readonly string[];

/** How deep commands in commands are read. */
const MAX_DEPTH = 10;

/** The simple commands of a shell text, also in substitutions, as words without quotes. */
function commandsOf(text: string, depth = 0): readonly Command[] {
  if (depth > MAX_DEPTH) return [];
  const commands: Command[] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    const from = words.findIndex((word, n) => n === words.length - 1 || !BEFORE.test(word));
    if (from >= 0) commands.push(words.slice(from));
    words = [];
  };
  const all = text.replaceAll(/\\\r?\n/g, "").replaceAll(/`([^`\n]*)`/g, "$$($1)");
  for (let at = 0; at < all.length; at++) {
    const char = all[at] ?? "";
    if (char === "#" && word === undefined) {
      at = endOf(all, "\n", at) - 1;
    } else if (char === '"' || char === "'") {
      const end = endOf(all, char, at + 1);
      const inner = all.slice(at + 1, end);
      word = `${word ?? ""}${inner.replaceAll(/\\(["\\$`])/g, "$1")}`;
      // "$(…)" is run as well.
      if (char === '"') commands.push(...substituted(inner, depth));
      at = end;
    } else if (/^[$<>]\(/.test(all.slice(at, at + 2))) {
      const end = endOf(all, ")", at + 2);
      word = `${word ?? ""}${all.slice(at, end + 1)}`;
      commands.push(...commandsOf(all.slice(at + 2, end), depth + 1));
      at = end;
    } else if (char === "\\") word = `${word ?? ""}${all[++at] ?? ""}`;
    else if (/[;&|()\r\n]/.test(char)) endCommand();
    else if (/[\s<>]/.test(char)) endWord();
    else word = `${word ?? ""}${char}`;
  }
  endCommand();
  return commands;
}

function substituted(text: string, depth: number): readonly Command[] {
  const found = [...text.matchAll(/\$\(([^()]*)\)/g)];
  return found.flatMap(([, inner = ""]) => commandsOf(inner, depth + 1));
}

/** The position of the matching closing character, or the end of the text. */
function endOf(text: string, closing: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === "\\" && closing !== "'" && closing !== "\n") at++;
    else if (closing === ")" && char === "(") depth++;
    else if (char === closing && --depth === 0) return at;
  }
  return text.length;
}

/** Lua's functions, and Neovim's commands by `vim.cmd`, that run a file. */
const LUA_RUNS =
  /\b(?:dofile|loadfile|source|luafile|runtime|pyfile|py3file|rubyfile|perlfile)\b\s*(?:,\s*)?/g;
const MAX_ARGUMENT = 2000;
/** How many directories a module is looked for in. */
const MAX_DIRS = 20;
const LUA_STRINGS = /"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|\[\[([\s\S]*?)(?:\]\]|$)/g;
const LUA_DIRS = /\b(?:rtp|runtimepath|packpath)\b([^\n]*)/g;

function ofLua(text: string, found: Found): void {
  const code = text.replaceAll(/--\[\[[\s\S]*?(?:\]\]|$)|--(?!\[\[)[^\n]*/g, "");
  for (const match of code.matchAll(LUA_RUNS)) {
    const argument = argumentAt(code, match.index + match[0].length);
    for (const word of stringsOf(argument)) add(found.files, joined(argument, word));
  }
  for (const [, rest = ""] of code.matchAll(LUA_DIRS))
    for (const word of stringsOf(rest)) add(found.dirs, joined(rest, word));
  for (const word of stringsOf(code)) {
    // `package.path = "./tools/?.lua;" .. package.path`
    for (const part of word.includes("?") ? word.split(";") : [])
      add(found.dirs, joined(code, part).replace(/\/?\?.*$/, ""));
    // `vim.cmd("source x")`
    ofVim(word, found);
  }
  for (const [, module = ""] of code.matchAll(/\brequire\b\s*\(?\s*["']([\w./-]+)["']/g)) {
    const path = module.replaceAll(".", "/");
    // `./?.lua` is in Lua's path from the start.
    for (const dir of [".", "lua", ...[...found.dirs].slice(0, MAX_DIRS)])
      for (const end of [".lua", "/init.lua"]) add(found.files, `${dir}/${path}${end}`);
  }
}

/** A function's arguments: in brackets, or one string. */
function argumentAt(code: string, start: number): string {
  const rest = code.slice(start, start + MAX_ARGUMENT);
  if (rest.startsWith("(")) return rest.slice(0, endOf(rest, ")", 1) + 1);
  return /^(?:"[^"\n]*"|'[^'\n]*'|\[\[[^\]]*\]\])/.exec(rest)?.[0] ?? "";
}

function stringsOf(code: string): readonly string[] {
  return [...code.matchAll(LUA_STRINGS)].map(([, a, b, c]) =>
    (a ?? b ?? c ?? "").replaceAll(/\\(.)/g, "$1"),
  );
}

/** `vim.fn.getcwd() .. "/tools/x.lua"`: this slash does not begin an absolute path. */
function joined(code: string, word: string): string {
  const before = code.slice(0, Math.max(0, code.indexOf(word) - 1));
  return /(?:\.\.|,)\s*$/.test(before) ? word.replace(/^\//, "") : word;
}

const VIM_RUNS =
  /^\s*:*\s*(?:sil(?:ent)?!?\s+)?(?:exe(?:cute)?\s+["'])?(?:so(?:urce)?|ru(?:ntime)?|luafile|luaf|pyf(?:ile)?|py3f(?:ile)?|rubyf(?:ile)?|perlf(?:ile)?)!?\s+([^\s"'|]+)/;
const VIM_DIRS = /\b(?:runtimepath|rtp|packpath|pp)\s*[+^]?=\s*([^\s"'|]+)/;

function ofVim(text: string, found: Found): void {
  for (const part of text.split(/[\n|]/)) {
    const file = VIM_RUNS.exec(part)?.[1];
    if (file !== undefined) add(found.files, file);
    for (const dir of VIM_DIRS.exec(part)?.[1]?.split(",") ?? []) add(found.dirs, dir);
    const line = /^\s*:*\s*lua\s+(?!<<)(.+)$/.exec(part)?.[1];
    if (line !== undefined) ofLua(line, found);
  }
  for (const [, , block = ""] of text.matchAll(
    /^\s*:*lua\s*<<\s*(?:trim\s+)?(\w+)\n([\s\S]*?)^\s*\1\s*$/gm,
  ))
    ofLua(block, found);
}
