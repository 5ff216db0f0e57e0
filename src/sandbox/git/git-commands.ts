import { readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { entriesOf, lookOutside, realPathOf, statsAt } from "../../look.ts";
import { isWithin } from "../../paths.ts";
import { ANSWER, ARGUMENT, type Claim, type Claims, MARK, UNKNOWN } from "./claims.ts";
import { claimsOf } from "./command-claims.ts";
import { RUNNERS } from "./known-programs.ts";
import { commandsOf } from "./shell-words.ts";

/** Where a command of git's configuration runs; paths are absolute. */
export type CommandPlace = {
  /** The project's top; a work tree in it has its own. */
  readonly root: string;
  /** The top of the work tree, where git runs the command. */
  readonly top: string;
  readonly isInProject: (path: string) => boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** The files of the project that a command names, and whether all were found. */
export type CommandFiles = {
  /** May contain a directory, if all of it is searched for modules. */
  readonly files: readonly string[];
  readonly isUnclear: boolean;
  /** Settings that it passes to git with `-c`. */
  readonly settings: Claims["settings"];
};

const MAX_BASES = 20;
const MAX_MATCHES = 100;
/** Linux's limits; no file has a longer name. */
const MAX_NAME = 255;
const MAX_PATH = 4095;

/** Files that interpreters look for in a directory. */
const ENTRIES = ["__main__.py", "index.js", "index.mjs", "index.cjs", "package.json"];

/** Programs that read nothing from the directory that they start in. */
const HARMLESS =
  /^(git|cd|pushd|popd|echo|printf|true|false|test|\[|:|pwd|basename|dirname|realpath|readlink)$/;

/**
 * Finds the project's files among a command's words, the way a shell would: quotes, `~`, variables,
 * the top of the work tree, `cd`, interpreters that add an ending. A word that is not understood and
 * may name a file of the project makes the command unclear.
 *
 * Rejects with `LookError`.
 */
export async function filesOfCommand(command: string, place: CommandPlace): Promise<CommandFiles> {
  const said = claimsOf(command, place);
  const search = new Search(place, said);
  await search.whole(command);
  for (const claim of said.claims) await search.base(claim);
  for (const claim of said.claims) await search.claim(claim);
  await search.runners();
  const { files, isUnclear } = search.found(command);
  return { files, isUnclear, settings: said.settings };
}

/** The words of a value, and their parts: `--config=tools/x` names `tools/x`, too. */
export function commandWords(value: string): string[] {
  const words = value.split(/[\s;&|()<>"'`!{}]+/);
  const read = commandsOf(value).flat();
  const quoted = read.map((word) =>
    word.map((piece) => (piece.is === "text" ? piece.text : "")).join(""),
  );
  return [
    ...new Set([value, ...[...words, ...quoted].flatMap((word) => [word, ...partsOf(word)])]),
  ].filter((word) => !/^(\.{0,2}|\/)$/.test(word));
}

/** Looks up the files that a command claims to use. */
class Search {
  readonly #place: CommandPlace;
  readonly #said: Claims;
  readonly #files = new Set<string>();
  readonly #bases: string[];
  readonly #paths: readonly string[];
  readonly #foundWords = new Set<number>();
  readonly #missedWords = new Set<number>();
  /** Directories that are named and may be searched for files. */
  readonly #directories = new Set<string>();
  #isUnclear = false;
  #namesTop = false;

  constructor(place: CommandPlace, said: Claims) {
    this.#place = place;
    this.#said = said;
    this.#bases = [place.top];
    this.#isUnclear = said.isCut;
    this.#paths = [...said.paths, ...(place.env["PATH"] ?? "").split(":")].filter(
      (path) => path !== "",
    );
  }

  /** The whole value as one path, as for programs that no shell starts, and the project's own path. */
  async whole(command: string): Promise<void> {
    const { root, top, env } = this.#place;
    const home = env["HOME"];
    const text = home === undefined ? command : homeIn(command, home);
    if (text.includes("/")) await this.#exact(resolve(top, text.replace(/^!/, "")));
    for (let at = text.indexOf(root); at !== -1; at = text.indexOf(root, at + 1)) {
      const rest = text.slice(at + root.length);
      if (!/^([/\s"'`;&|)]|$)/.test(rest)) continue;
      this.#namesTop = true;
      // With blanks or brackets, it is not one word.
      const ends = [...rest.matchAll(/[\s"'`;&|()<>:,=]|$/g)]
        .map((match) => match.index)
        .slice(0, 20);
      for (const end of ends) await this.#exact(join(root, rest.slice(0, end)));
    }
  }

  /** Adds a named directory to those that files are looked for in. */
  async base({ text, isLibrary }: Claim): Promise<void> {
    // All of the project is searched for modules.
    if (isLibrary && [text, text.slice(2), ...partsOf(text)].includes(".")) this.#isUnclear = true;
    for (const form of this.#forms(text)) {
      const path = resolve(this.#place.top, form);
      const real = await this.#directory(path);
      if (real === undefined) continue;
      if (real === this.#place.top || real === this.#place.root) this.#namesTop = true;
      if (!this.#place.isInProject(real)) continue;
      if (this.#bases.length >= MAX_BASES) this.#isUnclear = true;
      else if (!this.#bases.includes(path)) this.#bases.push(path);
      if (!isLibrary) continue;
      this.#files.add(real);
      this.#isUnclear ||= this.#place.isInProject(path) && real !== path;
    }
  }

  /** The directory that a path leads to, without links; undefined if it is not a directory. */
  async #directory(path: string): Promise<string | undefined> {
    if (!isPossible(path)) return undefined;
    const look = realPathOf(path);
    const real = await (this.#place.isInProject(path) ? look : lookOutside(look));
    if (real === undefined) return undefined;
    return (await lookOutside(statsAt(real)))?.isDirectory() === true ? real : undefined;
  }

  async claim(claim: Claim): Promise<void> {
    const { text, role, isSoft } = claim;
    const isBare = role === "program" && !text.includes("/");
    if (MARK.test(text)) {
      if (!isSoft && (await this.#mayBeInProject(claim))) this.#isUnclear = true;
    }
    if (claim.isGlob) await this.#glob(claim);
    if (isBare) {
      for (const dir of this.#paths)
        if (!MARK.test(text)) await this.#exact(resolve(this.#place.top, dir, text));
      return;
    }
    for (const form of this.#forms(text)) {
      if (role === "data" && !/[./]/.test(form)) continue;
      let isFound = false;
      for (const base of this.#bases) {
        const path = resolve(base, form);
        if (await this.#exact(path)) isFound = true;
        else if (role === "script" || role === "program")
          isFound = (await this.#byInterpreter(path, claim)) || isFound;
      }
      if (isFound) this.#foundWords.add(claim.word);
      else if (!isSoft && !claim.isGoal && !claim.isLibrary && role !== "data")
        if (await this.#isMissed(form, claim)) this.#missedWords.add(claim.word);
    }
  }

  /** Whether a word may be a path in the project although no file was found for it. */
  async #isMissed(form: string, { role, isOption }: Claim): Promise<boolean> {
    const { top, isInProject } = this.#place;
    const path = resolve(top, form);
    // A shell runs a word with a slash as a path, whatever its name.
    const isRun =
      (role === "program" && /^(?![A-Za-z]:\/).*\//s.test(form)) ||
      (role === "script" && isPlainPath(form));
    if (isRun && this.#said.hasUnknownGoal) return true;
    if (!isInProject(path))
      return this.#said.hasUnknownGoal && role !== "argument" && /^\.\.?\//.test(form);
    if ((await this.#directory(path)) === undefined) return /^\.{0,2}\//.test(form) || isRun;
    if (isOption || form.includes("/")) this.#directories.add(path);
    return false;
  }

  /** Adds the file that a program such as make reads in its directory. */
  async runners(): Promise<void> {
    for (const program of this.#said.programs)
      for (const file of RUNNERS.get(program) ?? [])
        for (const base of this.#bases)
          if ((await statsAt(join(base, file))) !== undefined) this.#isUnclear = true;
  }

  found(command: string): { files: readonly string[]; isUnclear: boolean } {
    const files = [...this.#files];
    const isMissed = [...this.#missedWords].some((word) => !this.#foundWords.has(word));
    const isUnused = [...this.#directories].some(
      (dir) => !files.some((file) => file === dir || file.startsWith(`${dir}/`)),
    );
    // The top itself is named, and nothing in it.
    const isPlain = [...this.#said.programs].every((program) => HARMLESS.test(program));
    const isOnlyTop = this.#namesTop && files.length === 0;
    const isTopUsed = isOnlyTop && !(isPlain && !/\beval\b/.test(command));
    return { files, isUnclear: this.#isUnclear || isMissed || isUnused || isTopUsed };
  }

  /** A word and its parts, with `~` expanded as a shell does; without unknown ones. */
  #forms(text: string): string[] {
    const parts = [text, ...partsOf(text)];
    const glued = parts
      .filter((part) => /^-[A-Za-z]/.test(part))
      .flatMap((part) => [2, 3, 4, 5].map((start) => part.slice(start)));
    const all = [...parts, ...glued].map((part) => homeIn(part, this.#place.env["HOME"]));
    return [...new Set(all)].filter((part) => !MARK.test(part) && !/^(\.|\.\.|\/)?$/.test(part));
  }

  async #exact(path: string): Promise<boolean> {
    const file = await projectFile(path, this.#place.isInProject);
    if (file === undefined) return false;
    this.#files.add(file.path);
    this.#isUnclear ||= file.isByLink;
    return true;
  }

  /** The files that an interpreter may open for a path. */
  async #byInterpreter(path: string, { role, endings }: Claim): Promise<boolean> {
    // The top itself is not a file.
    if (path === this.#place.top) return false;
    // A directory is not a program.
    const entries = role === "program" ? [] : ENTRIES.map((entry) => join(path, entry));
    let isFound = false;
    for (const candidate of [...endings.map((ending) => `${path}${ending}`), ...entries])
      isFound = (await this.#exact(candidate)) || isFound;
    return isFound;
  }

  /** Whether a word with an unknown part may be a path in the project. */
  async #mayBeInProject({ text, role }: Claim): Promise<boolean> {
    if (role === "data") return false;
    if (role === "program" && text === UNKNOWN) return true;
    for (const part of [text, ...text.split(/[=,@]+/)]) {
      const at = part.search(MARK);
      if (at === -1) continue;
      const before = part.slice(0, at);
      if (before.includes("://")) continue;
      const isArgument = part[at] === ARGUMENT;
      const base = homeIn(before.slice(0, before.lastIndexOf("/") + 1), this.#place.env["HOME"]);
      if (base === "") {
        if (!isArgument && part.slice(at).includes("/")) return true;
        continue;
      }
      const dir = resolve(this.#place.top, base);
      if (
        dir === this.#place.top ||
        (this.#place.isInProject(dir) && (await this.#directory(dir)) !== undefined)
      )
        return true;
      const isAbove = isWithin(dir, this.#place.root);
      if (isAbove && !isArgument && part[at] !== ANSWER) return true;
    }
    return false;
  }

  /** Adds the files that a pattern matches now; later ones cannot be protected. */
  async #glob({ text, role, isSoft }: Claim): Promise<void> {
    // Patterns of `case`, and git's own.
    if (role === "data" || /^\*+$/.test(text)) return;
    const path = homeIn(text, this.#place.env["HOME"]);
    for (const base of this.#bases)
      for (const match of await this.#matches(resolve(base, path))) {
        if (!isSoft) this.#isUnclear = true;
        if (role !== "argument") await this.#exact(match);
      }
  }

  async #matches(pattern: string): Promise<readonly string[]> {
    const { root } = this.#place;
    const parts = pattern.split(sep);
    const above = root.split(sep);
    if (parts.length <= above.length) return [];
    if (!above.every((name, n) => matcherOf(parts[n] ?? "").test(name))) return [];
    let found = [root];
    for (const part of parts.slice(above.length)) {
      const next: string[] = [];
      for (const dir of found) {
        if (!/[*?[]/.test(part)) {
          if ((await statsAt(join(dir, part))) !== undefined) next.push(join(dir, part));
          continue;
        }
        const matcher = matcherOf(part);
        for (const { name } of (await entriesOf(dir)) ?? [])
          if (matcher.test(name) && this.#place.isInProject(join(dir, name)))
            next.push(join(dir, name));
      }
      found = next.slice(0, MAX_MATCHES);
    }
    return found;
  }
}

/** A regular file of the project. */
export type FoundFile = {
  /** The path without links. */
  readonly path: string;
  /** Whether a link in the project leads to it; the agent can change that link. */
  readonly isByLink: boolean;
};

/** The regular file in the project that a path leads to; undefined if there is none. */
export async function projectFile(
  path: string,
  isInProject: (path: string) => boolean,
): Promise<FoundFile | undefined> {
  if (!isPossible(path)) return undefined;
  const real = await (isInProject(path) ? realPathOf(path) : lookOutside(realPathOf(path)));
  if (real === undefined || !isInProject(real)) return undefined;
  if ((await statsAt(real))?.isFile() !== true) return undefined;
  return { path: real, isByLink: isInProject(path) && real !== path };
}

function isPossible(path: string): boolean {
  if (path.includes("\0") || Buffer.byteLength(path) > MAX_PATH) return false;
  return path.split("/").every((name) => Buffer.byteLength(name) <= MAX_NAME);
}

/** The parts of a word between `=`, `:`, `,` and `@`, as in options, search paths and addresses. */
function partsOf(word: string): string[] {
  return word.split(/[=:,@]+/);
}

/** Whether a word can only be a path. */
function isPlainPath(word: string): boolean {
  return /^[\p{L}\p{N}_@+][\p{L}\p{N}_@%+.-]*(\/[\p{L}\p{N}_@%+.-]+)+$/u.test(word);
}

/** A text with `~`, `~user` and `$HOME` expanded as a shell does. */
function homeIn(text: string, home: string | undefined): string {
  let found = text;
  if (home !== undefined)
    found = found
      .replace(/\$HOME(?=\/)|\$\{HOME\}(?=\/)/g, () => home)
      .replace(/(^|[\s"'=:;&|(!`])~(?=\/|$|\s)/g, (_all, before: string) => `${before}${home}`);
  return found.replace(
    /(^|[\s"'=:;&|(!`])~([a-z_][\w-]*)(?=\/)/g,
    (all, before: string, user: string) => {
      const other = homeOf(user);
      return other === undefined ? all : `${before}${other}`;
    },
  );
}

function homeOf(user: string): string | undefined {
  try {
    const passwd = readFileSync("/etc/passwd", "utf8");
    return passwd
      .split("\n")
      .find((line) => line.startsWith(`${user}:`))
      ?.split(":")[5];
  } catch {
    // Users of a directory service are not listed here.
    return undefined;
  }
}

/** A part of a pattern as a regular expression; brackets mean the same. */
function matcherOf(part: string): RegExp {
  const source = part
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
    .replace(/\[!/g, "[^");
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    // An unclosed bracket matches itself.
    return new RegExp(`^${source.replaceAll("[", "\\[")}$`, "s");
  }
}
