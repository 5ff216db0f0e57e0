import { basename, dirname } from "node:path";
import {
  ANSWER,
  ARGUMENT,
  type Claim,
  type Claims,
  MARK,
  type Role,
  type Surroundings,
  UNKNOWN,
} from "./claims.ts";
import {
  ALL_ENDINGS,
  ECHOES,
  ENDINGS,
  GIVEN_VARIABLES,
  INTERPRETERS,
  LIBRARY_VARIABLES,
  PLAIN_ANSWERS,
  SHELLS,
  WRAPPERS,
} from "./known-programs.ts";
import { commandsOf, type Piece, quotedWord, type ShellWord } from "./shell-words.ts";

/** No command that a person writes is longer or deeper. */
const MAX_CLAIMS = 1000;
const MAX_LENGTH = 100_000;
const MAX_DEPTH = 5;
const MAX_VALUES = 12;

/** Reads a command; looks nothing up. */
export function claimsOf(command: string, surroundings: Surroundings): Claims {
  const reader = new ClaimReader(surroundings);
  // An alias of git begins like this.
  reader.isCut = command.length > MAX_LENGTH;
  reader.read(command.slice(0, MAX_LENGTH).replace(/^\s*!/, ""), 0, false);
  return reader;
}

class ClaimReader implements Claims {
  readonly claims: Claim[] = [];
  readonly paths: string[] = [];
  readonly programs = new Set<string>();
  readonly settings: { key: string; value: string }[] = [];
  hasUnknownGoal = false;
  isCut = false;
  #words = 0;
  readonly #softly = new Set<string>();
  readonly #top: string;
  readonly #env: Surroundings["env"];
  readonly #locals = new Map<string, readonly string[]>();

  constructor({ top, env }: Surroundings) {
    this.#top = top;
    this.#env = env;
    for (const name of ["PWD", "GIT_WORK_TREE", "GIT_TOPLEVEL", "toplevel"])
      this.#locals.set(name, [top]);
    this.#locals.set("GIT_PREFIX", ["", ARGUMENT]);
  }

  /** Reads commands; returns what they may print. */
  read(text: string, depth: number, isSoft: boolean): readonly string[] {
    // Plain text, such as `s/a$/b/`.
    if (isSoft && this.#softly.has(text)) return [];
    if (isSoft) this.#softly.add(text);
    if (depth > MAX_DEPTH) {
      this.isCut ||= !isSoft;
      return [UNKNOWN];
    }
    return commandsOf(text).flatMap((command) => new OneCommand(this, depth, isSoft).read(command));
  }

  /** Adds the texts that one word may be. */
  claim(texts: readonly string[], claim: Omit<Claim, "text" | "word">): void {
    const word = ++this.#words;
    for (const text of texts) if (text !== "") this.claims.push({ ...claim, text, word });
    if (this.claims.length <= MAX_CLAIMS) return;
    this.claims.length = MAX_CLAIMS;
    this.isCut = true;
  }

  /** Sets a variable, unless this may not be a command. */
  set(name: string, values: readonly string[], isSoft = false): void {
    if (isSoft && this.#locals.has(name)) return;
    const kept = values.map((value) => value.replaceAll(`$${name}`, ""));
    this.#locals.set(name, this.#few(kept));
    if (name === "PATH") this.paths.push(...kept.flatMap((value) => value.split(":")));
  }

  /** The texts that a word may be. */
  values(word: ShellWord, depth: number): string[] {
    let values = [""];
    for (const piece of word) {
      const next = this.#texts(piece, depth);
      values = this.#few(values.flatMap((value) => next.map((text) => value + text)));
    }
    return values;
  }

  #texts(piece: Piece, depth: number): readonly string[] {
    if (piece.is === "text") return piece.isQuoted ? [piece.text] : braced(piece.text);
    if (piece.is === "command") {
      const said = this.read(piece.source, depth + 1, false);
      return said.length === 0 ? [UNKNOWN] : said;
    }
    const { name, operator, operand } = piece;
    if (/^([\d@*#?$!-]|#.*)$/.test(name) && name !== "0")
      return /^:?[-=+]$/.test(operator) ? [ARGUMENT, ...this.#operand(operand, depth)] : [ARGUMENT];
    const known = this.#valueOf(name);
    if (operator === "" || /^:?\?$/.test(operator)) return known ?? [UNKNOWN];
    if (/^:?[-=+]$/.test(operator)) return [...(known ?? []), ...this.#operand(operand, depth)];
    // `${0%/*}` is what `dirname` prints.
    if (operator === "%" && operand === "/*" && known !== undefined) return known.map(dirname);
    return [UNKNOWN];
  }

  #few(values: readonly string[]): string[] {
    const few = [...new Set(values)];
    if (few.length > MAX_VALUES) this.isCut = true;
    return few.slice(0, MAX_VALUES);
  }

  #operand(text: string, depth: number): string[] {
    return this.values(quotedWord(text.replace(/^["']|["']$/g, "")), depth + 1);
  }

  #valueOf(name: string): readonly string[] | undefined {
    const value = this.#env[name];
    const known = this.#locals.get(name) ?? (value === undefined ? undefined : [value]);
    if (known === undefined) return GIVEN_VARIABLES.has(name) ? [ARGUMENT] : undefined;
    return known.length === 0 ? [UNKNOWN] : known;
  }

  get top(): string {
    return this.#top;
  }
}

/** Goes through the words of one command. */
class OneCommand {
  readonly #reader: ClaimReader;
  readonly #depth: number;
  readonly #isSoft: boolean;
  #role: Role = "program";
  #program = "";
  #isWrapped = false;
  #hasShell = false;
  #endings: readonly string[] = [];
  /** The subcommand of git. */
  #subcommand: string | undefined;
  readonly #arguments: (readonly string[])[] = [];

  constructor(reader: ClaimReader, depth: number, isSoft: boolean) {
    this.#reader = reader;
    this.#depth = depth;
    this.#isSoft = isSoft;
  }

  read(command: readonly ShellWord[]): readonly string[] {
    let before = "";
    for (const word of command) {
      const values = this.#reader.values(word, this.#depth);
      const isGlob = word.some(
        (piece) => piece.is === "text" && !piece.isQuoted && /[*?[]/.test(piece.text),
      );
      const literal = values[0] ?? "";
      if (this.#role === "program") this.#first(word, values, isGlob);
      else this.#next(values, isGlob, before);
      if (isCommandText(word, literal)) this.#text(values, before);
      before = literal;
    }
    return this.#output();
  }

  #first(word: ShellWord, values: readonly string[], isGlob: boolean): void {
    const literal = values[0] ?? "";
    const [, name] = /^([A-Za-z_]\w*)\+?=/.exec(literal) ?? [];
    if (name !== undefined) {
      const given = values.map((value) => value.slice(value.indexOf("=") + 1));
      this.#claim(given, "argument", isGlob, { isLibrary: LIBRARY_VARIABLES.has(name) });
      this.#reader.set(name, given, this.#isSoft);
      return;
    }
    if (this.#isWrapped && /^(-|\d+[smhd]?$)/.test(literal)) {
      this.#claim(values, "argument", isGlob);
      return;
    }
    this.#claim(values, "program", isGlob);
    // An unquoted variable is split into words of the command.
    if (word.length === 1 && word[0]?.is === "variable" && /\s/.test(literal))
      for (const value of values) this.#reader.read(value, this.#depth + 1, this.#isSoft);
    const program = basename(literal);
    if (WRAPPERS.has(program)) {
      this.#isWrapped = true;
      if (program === "eval") this.#hasShell = true;
      return;
    }
    this.#program = program;
    if (!this.#isSoft) this.#reader.programs.add(program);
    this.#role = "argument";
    this.#interpreter(program);
  }

  #next(values: readonly string[], isGlob: boolean, before: string): void {
    const literal = values[0] ?? "";
    this.#arguments.push(values);
    this.#variable(literal, values, before);
    if (this.#program === "git") {
      this.#git(values, isGlob, before);
      return;
    }
    const isGoal = /^(cd|pushd)$/.test(this.#program);
    const isScript = this.#role === "script";
    const isLibrary = isScript && (before === "-I" || literal.startsWith("-I"));
    const isModule = isScript && /^-[mMl]$/.test(before);
    const named = isModule ? values.map(moduleOf) : values;
    const isOption = before.startsWith("-");
    this.#claim(named, this.#role, isGlob, { isGoal, isLibrary, isOption });
    if (isScript) this.#inScript(values, before);
    this.#interpreter(basename(literal));
    // Runs for each file that another command finds.
    const isEach = this.#isWrapped || /^(find|fd|parallel)$/.test(this.#program);
    if (isEach && this.#role === "script" && literal === ARGUMENT)
      this.#claim([UNKNOWN], "program", false);
  }

  /** Adds modules that options name, and text that is itself a program. */
  #inScript(values: readonly string[], before: string): void {
    for (const value of values) {
      const module = /^-[mMlr](.+)$/.exec(value)?.[1];
      if (module !== undefined) this.#claim([module, moduleOf(module)], "script", false);
      if (this.#hasShell || !/^(-\w*[ceErp]|--eval|--print)$/.test(before)) continue;
      for (const [, , text = ""] of value.matchAll(/(["'`])((?:(?!\1)[\s\S])*)\1/g))
        this.#claim([text], "script", false);
      for (const [, name = ""] of value.matchAll(/\b(?:import|from|use|require)\s+([\w.:]+)/g))
        this.#claim([moduleOf(name)], "script", false);
    }
  }

  /** Remembers the values of a loop, and declarations. */
  #variable(literal: string, values: readonly string[], before: string): void {
    if (this.#program === "for") {
      const name = this.#arguments[0]?.[0] ?? "";
      const given = this.#arguments.slice(2).flat();
      if (before === "for" || literal !== "in") this.#reader.set(name, given, this.#isSoft);
    }
    if (!/^(export|local|declare|readonly|typeset)$/.test(this.#program)) return;
    const [, name] = /^([A-Za-z_]\w*)=/.exec(literal) ?? [];
    if (name === undefined) return;
    const given = values.map((value) => value.slice(name.length + 1));
    this.#reader.set(name, given, this.#isSoft);
  }

  /** After `-c` comes a setting, after some words a command; the rest are git's own words. */
  #git(values: readonly string[], isGlob: boolean, before: string): void {
    const literal = values[0] ?? "";
    if (before === "-c" || before === "--config")
      for (const value of values) {
        const [, key, given] = /^([^=]+)=([\s\S]*)$/.exec(value) ?? [];
        if (key !== undefined && given !== undefined)
          this.#reader.settings.push({ key: key.toLowerCase(), value: given });
      }
    const isOption = literal.startsWith("-") || /^(-c|-C|--git-dir|--work-tree)$/.test(before);
    const isEarly = this.#subcommand === undefined;
    if (isEarly && !isOption) this.#subcommand = literal;
    const isGoal = before === "-C" || /^--(git-dir|work-tree)/.test(literal);
    const isLibrary = literal.startsWith("--exec-path=");
    this.#claim(values, isEarly && isOption ? "argument" : "data", isGlob, { isGoal, isLibrary });
    // Runs in each submodule.
    if (literal === "foreach") this.#reader.hasUnknownGoal = true;
    const inline = /^(?:--(?:exec|extcmd|upload-pack|receive-pack)=|-x)([\s\S]+)$/.exec(
      literal,
    )?.[1];
    if (inline !== undefined) this.#reader.read(inline, this.#depth + 1, this.#isSoft);
    if (/^(-x|--exec|--extcmd|foreach|run|--upload-pack|--receive-pack|--recursive)$/.test(before))
      for (const value of values) this.#reader.read(value, this.#depth + 1, this.#isSoft);
  }

  #interpreter(program: string): void {
    if (INTERPRETERS.test(program)) {
      this.#role = "script";
      const found = ENDINGS.find(([pattern]) => pattern.test(program))?.[1].split(" ") ?? [];
      this.#endings = [...this.#endings, ...found.map((ending) => `.${ending}`)];
    }
    if (SHELLS.test(program)) this.#hasShell = true;
  }

  /** A word with blanks may be a command, and is one after `sh -c`. */
  #text(values: readonly string[], before: string): void {
    const isCommand =
      (this.#hasShell && (/^-\w*c$/.test(before) || before === "eval")) || before === "-S";
    for (const value of values)
      this.#reader.read(value, this.#depth + 1, this.#isSoft || !isCommand);
  }

  #claim(
    values: readonly string[],
    role: Role,
    isGlob: boolean,
    { isGoal = false, isLibrary = false, isOption = false } = {},
  ): void {
    const isSoft = this.#isSoft;
    const endings = role === "program" ? ALL_ENDINGS : this.#endings;
    this.#reader.claim(values, { role, isGlob, isSoft, isGoal, isLibrary, isOption, endings });
    if (isGoal && values.some((value) => MARK.test(value))) this.#reader.hasUnknownGoal = true;
  }

  /** What the command prints, if it is in a substitution. */
  #output(): readonly string[] {
    const given = this.#arguments.flat();
    const paths = given.filter((arg) => !arg.startsWith("-"));
    const top = this.#reader.top;
    if (this.#program === "git" && this.#subcommand === "rev-parse") {
      if (given.includes("--show-toplevel")) return [top];
      if (given.includes("--show-cdup")) return ["", `${top}/`];
      if (given.some((arg) => /^--(absolute-)?git-(common-)?dir$/.test(arg)))
        return [`${top}/.git`];
      if (given.includes("--git-path")) return paths.map((path) => `${top}/.git/${path}`);
      if (given.includes("--show-prefix")) return [""];
    }
    if (this.#program === "pwd") return [top];
    if (/^(cd|pushd|true|:|test|\[)$/.test(this.#program)) return [];
    if (this.#program === "dirname") return paths.flatMap(directoryOf);
    if (ECHOES.has(this.#program)) return paths;
    if (this.#program === "git") return [ANSWER];
    return PLAIN_ANSWERS.has(this.#program) ? [ARGUMENT] : [UNKNOWN];
  }
}

/** The directory of a path; it may be the top if the path is unknown. */
function directoryOf(path: string): string[] {
  return MARK.test(path) ? [path, "."] : [dirname(path)];
}

function moduleOf(name: string): string {
  return name.replaceAll("::", "/").replaceAll(".", "/");
}

/** Whether a word is worth reading as a command. */
function isCommandText(word: ShellWord, literal: string): boolean {
  return (
    word.some((piece) => piece.is !== "text" || piece.isQuoted) && /[\s;&|`$()"']/.test(literal)
  );
}

/** Expands `{a,b}` in a word; also keeps the word, since not every shell expands it. */
function braced(text: string): string[] {
  // A placeholder of `find` and `xargs`.
  if (text.includes("{}")) return braced(text.replaceAll("{}", ARGUMENT));
  const [, before = "", inner, after = ""] =
    /^([^{]*)\{([^{}]*,[^{}]*)\}([\s\S]*)$/.exec(text) ?? [];
  if (inner === undefined) return [text];
  return [
    text,
    ...inner.split(",").flatMap((part) => braced(after).map((end) => before + part + end)),
  ];
}
