/**
 * Names in Lua: no local, parameter or variable of a loop is named `it`, which says nothing about the
 * thing. Biome does the same for TypeScript (names.grit).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What binds names, with the list of names behind it. */
const BINDINGS = [
  /\blocal\s+(?:function\s+)?([\w\s,]+)/g,
  /\bfunction\b[\s\w.:]*\(([^)]*)\)/g,
  /\bfor\s+([\w\s,]+?)\s*(?:=|\bin\b)/g,
];

/** Strings and comments: a quote or `--` in one of them begins neither. */
const SKIPPED =
  /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'/g;

/**
 * Checks the names in Lua files.
 *
 * @param root the checkout
 * @param paths its source files, relative to it
 * @returns a line for each name that is refused, empty where there is none
 */
export function luaNames(root: string, paths: readonly string[]): readonly string[] {
  return paths
    .filter((path) => path.endsWith(".lua"))
    .flatMap((path) => luaNameProblems(path, readFileSync(join(root, path), "utf8")));
}

/** Does the same for one text. */
export function luaNameProblems(path: string, text: string): readonly string[] {
  const code = text.replace(SKIPPED, (skipped) => skipped.replace(/[^\n]/g, " "));
  const lines = BINDINGS.flatMap((binding) =>
    [...code.matchAll(binding)].flatMap((match) => {
      const names = match[1] ?? "";
      const at = names.search(/\bit\b/);
      if (at === -1) return [];
      const before = code.slice(0, match.index + match[0].indexOf(names) + at);
      return [before.split("\n").length];
    }),
  );
  return lines
    .sort((a, b) => a - b)
    .map((line) => `${path}:${line}: nothing is named \`it\`; name the thing`);
}
