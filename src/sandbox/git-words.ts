import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { lookOutside, realPathOf, statsAt } from "../look.ts";

/** What a command of git's configuration is judged in; paths are absolute. */
export type CommandPlace = {
  /** The top of the work tree: where git runs it. */
  readonly top: string;
  readonly isInProject: (path: string) => boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** The files of the project that a command names, and whether it names what was not found. */
export type CommandFiles = {
  readonly files: readonly string[];
  readonly isUnclear: boolean;
};

/** No command that a person has written is longer. */
const MAX_WORDS = 400;
const MAX_BASES = 20;
/** Linux's own limits; nothing has a longer name. */
const MAX_NAME = 255;
const MAX_PATH = 4095;

/** Endings that interpreters add to a name, and the files that they look for in a directory. */
const ENDINGS = ["", ..."js cjs mjs ts py sh bash rb pl lua php".split(" ").map((it) => `.${it}`)];
const ENTRIES = ["__main__.py", "index.js", "index.mjs", "index.cjs", "package.json"];

/** Ways to say the top of the work tree. */
const TOP =
  /\$\(\s*git rev-parse --(?:show-toplevel|show-cdup)\s*\)|`\s*git rev-parse --(?:show-toplevel|show-cdup)\s*`|\$\(\s*pwd\s*\)|`\s*pwd\s*`|\$\{?(?:PWD|GIT_WORK_TREE|GIT_TOPLEVEL)\}?/g;

/**
 * Finds the project's files among a command's words, the way a shell would: `~`, `$HOME` and other
 * variables, the top of the work tree, `cd`, interpreters that add an ending.
 *
 * Rejects with `LookError`.
 */
export async function filesOfCommand(command: string, place: CommandPlace): Promise<CommandFiles> {
  const text = await expand(command, place);
  const words = wordsOf(text).slice(0, MAX_WORDS);
  const bases = [place.top];
  for (const word of words) {
    const path = resolve(place.top, word);
    if (bases.length >= MAX_BASES || bases.includes(path) || !place.isInProject(path)) continue;
    if (isPossible(path) && (await statsAt(path))?.isDirectory() === true) bases.push(path);
  }
  const modules = [...text.matchAll(/\s-m\s+([\w.]+)/g)].map(([, it = ""]) =>
    it.replaceAll(".", "/"),
  );
  const files = new Set<string>();
  let isUnclear = false;
  for (const word of [...words, ...modules]) {
    let isFound = false;
    for (const base of bases)
      for (const { path, isByLink } of await filesAt(resolve(base, word), place)) {
        files.add(path);
        isFound = true;
        isUnclear ||= isByLink;
      }
    isUnclear ||= !isFound && namesProject(word, place) && !isArgumentOfCd(word, text);
  }
  // The top is named, and nothing in it.
  isUnclear ||= files.size === 0 && new RegExp(TOP).test(command);
  return { files: [...files], isUnclear };
}

/** The words of a value, and their parts: `--config=tools/x` names `tools/x`, too. */
export function wordsOf(value: string): string[] {
  const words = value.split(/[\s;&|()<>"'`!{}]+/).filter((word) => word !== "");
  return [...new Set(words.flatMap((word) => [word, ...word.split(/[=:,]+/)]))].filter(
    (word) => word !== "" && word !== "." && word !== "/",
  );
}

/** The file at a path, or those that an interpreter takes for it. */
async function filesAt(path: string, place: CommandPlace): Promise<FoundFile[]> {
  const candidates = [
    ...ENDINGS.map((ending) => `${path}${ending}`),
    ...ENTRIES.map((entry) => join(path, entry)),
  ];
  const files: FoundFile[] = [];
  for (const candidate of candidates) {
    const file = await projectFile(candidate, place.isInProject);
    if (file !== undefined) files.push(file);
  }
  return files;
}

/** A regular file of the project. */
export type FoundFile = {
  /** Without links in it. */
  readonly path: string;
  /** Whether a link in the project leads to it, which the agent can replace. */
  readonly isByLink: boolean;
};

/** The regular file in the project that a path leads to; undefined where it leads to none. */
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

async function expand(command: string, { top, env }: CommandPlace): Promise<string> {
  let text = command.replace(TOP, top);
  text = text.replace(/\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?/g, (all, name: string) => env[name] ?? all);
  text = text.replace(/(^|[\s"'=:;&|(!`])~(?=\/|$|\s)/g, (_all, before: string) =>
    env["HOME"] === undefined ? `${before}~` : `${before}${env["HOME"]}`,
  );
  const users = [...text.matchAll(/(?:^|[\s"'=:;&|(!`])~([a-z_][\w-]*)(?=\/)/g)];
  for (const [, user = ""] of users) {
    const home = await homeOf(user);
    if (home !== undefined) text = text.replaceAll(`~${user}/`, `${home}/`);
  }
  return text;
}

async function homeOf(user: string): Promise<string | undefined> {
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  const line = passwd.split("\n").find((it) => it.startsWith(`${user}:`));
  return line?.split(":")[5];
}

/** Whether a word says by its form that it is a file of the project. */
function namesProject(word: string, { top, isInProject }: CommandPlace): boolean {
  if (/^\.\.?\//.test(word)) return isInProject(resolve(top, word));
  return word.startsWith("/") && isInProject(resolve(word));
}

function isArgumentOfCd(word: string, text: string): boolean {
  const at = text.indexOf(word);
  return at > 0 && /\bcd\s+["']?$/.test(text.slice(0, at));
}
