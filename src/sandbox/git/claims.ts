/** How a command uses a word; this decides where its file is looked for. */
export type Role =
  /** The word is run. */
  | "program"
  /** The word follows an interpreter, which adds endings to it. */
  | "script"
  | "argument"
  /** The word follows a subcommand of git, where most words are branches. */
  | "data";

/** A word that may name a file. */
export type Claim = {
  /** With the marks below for unknown parts. */
  readonly text: string;
  readonly role: Role;
  readonly isGlob: boolean;
  /** Whether it may not belong to a command: it is in a quoted argument of some program. */
  readonly isSoft: boolean;
  /** Whether the command only changes to this directory. */
  readonly isGoal: boolean;
  /** Whether it is a directory that is searched for modules. */
  readonly isLibrary: boolean;
  /** Whether it follows an option. */
  readonly isOption: boolean;
  /** Endings that an interpreter adds to it. */
  readonly endings: readonly string[];
  /** The same number for all texts that one word may be. */
  readonly word: number;
};

/** The files that a command claims to use. */
export type Claims = {
  readonly claims: readonly Claim[];
  /** Directories that programs are looked up in, besides the environment's. */
  readonly paths: readonly string[];
  /** Names of all programs, without directories. */
  readonly programs: ReadonlySet<string>;
  /** Whether it is longer or deeper than is read. */
  readonly isCut: boolean;
  /** Whether it changes to an unknown directory. */
  readonly hasUnknownGoal: boolean;
  /** Settings that it passes to git with `-c`. */
  readonly settings: readonly { readonly key: string; readonly value: string }[];
};

/** The variables and the work tree's top while the command runs. */
export type Surroundings = {
  readonly top: string;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Stands for text that is unknown before the command runs; no path contains it. */
export const UNKNOWN = "\0";
/** Stands for arguments of the user, and for text that is not a path. */
export const ARGUMENT = "\x01";
/** Stands for git's answers: names of branches and commits. */
export const ANSWER = "\x02";
/** Any of these marks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: no path contains these marks
export const MARK: RegExp = /[\0\x01\x02]/;
