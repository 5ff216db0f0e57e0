/**
 * Reads a command as a shell does, as far as is needed to see which files it may name: quotes,
 * variables, substitutions and separators. Nothing is run.
 */

/** A piece of a word. */
export type Piece =
  | { readonly is: "text"; readonly text: string; readonly isQuoted: boolean }
  /** `$name`, or `${name<operator>operand}`; the operand is the text as written. */
  | {
      readonly is: "variable";
      readonly name: string;
      readonly operator: string;
      readonly operand: string;
      readonly isQuoted: boolean;
    }
  /** The text between `$(` and `)`, or between backticks. */
  | { readonly is: "command"; readonly source: string };

/** One word, between blanks. */
export type ShellWord = readonly Piece[];

/** The commands of a text, each with its words; redirections leave their file as a word. */
export function commandsOf(text: string): ShellWord[][] {
  return new Reader(text).commands();
}

/** The text in double quotes, or the operand of a `${…}`, as one word. */
export function quotedWord(text: string): ShellWord {
  return new Reader(text).quoted();
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", e: "\x1b" };

class Reader {
  readonly #text: string;
  #at = 0;
  #commands: ShellWord[][] = [];
  #words: ShellWord[] = [];
  #word: Piece[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  commands(): ShellWord[][] {
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? "";
      if (/[;&|()\n]/.test(c)) {
        this.#at++;
        this.#endCommand();
      } else if (/\s/.test(c)) {
        this.#at++;
        this.#endWord();
      } else if (c === "<" || c === ">") this.#redirection();
      else if (c === "#" && this.#word.length === 0) this.#take(/[^\n]*/y);
      else this.#piece(c);
    }
    this.#endCommand();
    return this.#commands;
  }

  quoted(): ShellWord {
    this.#doubleQuoted("");
    return this.#word;
  }

  #piece(c: string): void {
    if (c === "\\") {
      const next = this.#text[this.#at + 1] ?? "";
      this.#at += 2;
      if (next !== "\n") this.#add(next, true);
    } else if (c === "'") {
      this.#at++;
      this.#add(this.#take(/[^']*/y), true);
      this.#at++;
    } else if (c === '"') {
      this.#at++;
      this.#doubleQuoted('"');
    } else if (c === "`") this.#backticks();
    else if (c === "$") this.#dollar(false);
    else this.#add(this.#take(/[^\s;&|()<>\\'"`$]+/y), false);
  }

  #doubleQuoted(end: string): void {
    // An empty quoted word counts.
    this.#add("", true);
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? "";
      if (c === end) {
        this.#at++;
        return;
      }
      if (c === "\\") {
        const next = this.#text[this.#at + 1] ?? "";
        this.#at += 2;
        if (next !== "\n") this.#add(/[$`"\\]/.test(next) ? next : `\\${next}`, true);
      } else if (c === "`") this.#backticks();
      else if (c === "$") this.#dollar(true);
      else {
        this.#add(c, true);
        this.#at++;
      }
    }
  }

  #dollar(isQuoted: boolean): void {
    const rest = this.#text.slice(this.#at + 1, this.#at + 3);
    this.#at++;
    if (rest.startsWith("(")) {
      this.#at++;
      const source = this.#until(")");
      // The result of arithmetic is a number.
      if (rest === "((") this.#word.push({ is: "variable", name: "#", ...PLAIN, isQuoted });
      else this.#word.push({ is: "command", source });
    } else if (rest.startsWith("{")) {
      this.#at++;
      const inner = this.#until("}");
      const [, name = "", rest = ""] = /^([!#]?(?:\w+|[@*#?$!-]))?([\s\S]*)$/.exec(inner) ?? [];
      const [, operator = "", operand = ""] = /^(:?[-=+?]|[\s\S]?)([\s\S]*)$/.exec(rest) ?? [];
      this.#word.push({ is: "variable", name, operator, operand, isQuoted });
    } else if (rest.startsWith("'") && !isQuoted) {
      this.#at++;
      const text = this.#take(/(?:[^'\\]|\\[\s\S])*/y);
      this.#at++;
      this.#add(unescaped(text), true);
    } else if (rest.startsWith('"') && !isQuoted) {
      this.#at++;
      this.#doubleQuoted('"');
    } else {
      const name = this.#take(/[A-Za-z_]\w*|[0-9@*#?$!-]/y);
      if (name === "") this.#add("$", true);
      else this.#word.push({ is: "variable", name, ...PLAIN, isQuoted });
    }
  }

  #backticks(): void {
    this.#at++;
    const source = this.#take(/(?:[^`\\]|\\[\s\S])*/y);
    this.#at++;
    this.#word.push({ is: "command", source: source.replace(/\\([`$\\])/g, "$1") });
  }

  /** The text up to the closing bracket, and moves past that. */
  #until(close: string): string {
    const open = close === ")" ? "(" : "{";
    const from = this.#at;
    for (let depth = 1; this.#at < this.#text.length; ) {
      const c = this.#text[this.#at] ?? "";
      if (c === "'") this.#take(/'[^']*'?/y);
      else if (c === '"') this.#take(/"(?:[^"\\]|\\[\s\S])*"?/y);
      else {
        if (c === open) depth++;
        if (c === close) depth--;
        this.#at += c === "\\" ? 2 : 1;
        if (depth === 0) return this.#text.slice(from, this.#at - 1);
      }
    }
    return this.#text.slice(from);
  }

  #redirection(): void {
    const [only] = this.#word;
    // `2>`: the number of a file descriptor.
    if (this.#word.length === 1 && only?.is === "text" && /^\d+$/.test(only.text)) this.#word = [];
    this.#endWord();
    this.#take(/[<>]+[&|-]?/y);
  }

  #add(text: string, isQuoted: boolean): void {
    const last = this.#word.at(-1);
    if (last?.is === "text" && last.isQuoted === isQuoted)
      this.#word[this.#word.length - 1] = { is: "text", text: last.text + text, isQuoted };
    else this.#word.push({ is: "text", text, isQuoted });
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #endWord(): void {
    if (this.#word.length > 0) this.#words.push(this.#word);
    this.#word = [];
  }

  #endCommand(): void {
    this.#endWord();
    if (this.#words.length > 0) this.#commands.push(this.#words);
    this.#words = [];
  }
}

const PLAIN = { operator: "", operand: "" } as const;

/** The text of `$'…'`. */
function unescaped(text: string): string {
  return text.replace(/\\(x[\da-fA-F]{1,2}|[0-7]{1,3}|[\s\S])/g, (_all, code: string) => {
    if (/^x./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    return ESCAPES[code] ?? code;
  });
}
