/** The parts of a file that are run, by name; changes of the rest are not reported. */
export type Parts = ReadonlyMap<string, string>;

/**
 * The parts of a file that are run, by the file's name. Undefined if the whole file counts, also if it
 * cannot be parsed: its tool may be more lenient.
 *
 * SECURITY: names and texts are the agent's.
 */
export function partsOf(name: string, text: string): Parts | undefined {
  try {
    return knownParts(name, text);
  } catch {
    // Nested deeper than JSON.stringify can write.
    return undefined;
  }
}

function knownParts(name: string, text: string): Parts | undefined {
  if (name === "package.json") return fields(text, PACKAGE);
  if (name === "composer.json") return fields(text, COMPOSER);
  if (name === "go.mod" || name === "go.work") return goLines(text);
  if (/^(?:ts|js)config(?:\.[^/]*)?\.json$/.test(name)) return plugins(text);
  return undefined;
}

/** The watched fields and what they are called; tables of commands are compared entry by entry. */
const PACKAGE: Readonly<Record<string, string>> = {
  scripts: "script",
  "lint-staged": "hook",
  husky: "hook",
  "simple-git-hooks": "hook",
  "pre-commit": "hook",
  "pre-push": "hook",
  gitHooks: "hook",
  eslintConfig: "configuration",
  prettier: "configuration",
  jest: "configuration",
  babel: "configuration",
  nodemonConfig: "configuration",
  stylelint: "configuration",
  postcss: "configuration",
  browserslist: "configuration",
  commitlint: "configuration",
  release: "configuration",
  remarkConfig: "configuration",
  xo: "configuration",
  ava: "configuration",
  mocha: "configuration",
  nyc: "configuration",
  c8: "configuration",
  tap: "configuration",
  wireit: "configuration",
  "nano-staged": "hook",
  pnpm: "configuration",
  trustedDependencies: "field",
  volta: "field",
  devEngines: "field",
  directories: "field",
  packageManager: "field",
  bin: "program",
  gypfile: "field",
};

const COMPOSER: Readonly<Record<string, string>> = { scripts: "script", bin: "program" };

function fields(text: string, known: Readonly<Record<string, string>>): Parts | undefined {
  const parsed = objectOf(text);
  if (parsed === undefined) return undefined;
  const found = new Map<string, string>();
  for (const [field, value] of Object.entries(parsed)) {
    const kind = Object.hasOwn(known, field) ? known[field] : undefined;
    if (kind === undefined) continue;
    if ((kind === "script" || kind === "hook") && typeof value === "object" && value !== null)
      for (const [name, command] of Object.entries(value))
        found.set(`${kind} \0${name}`, JSON.stringify(command));
    else found.set(`${kind} \0${field}`, JSON.stringify(value));
  }
  return found;
}

/** Directives by which go downloads, runs or replaces code; requirements are protected by go.sum. */
const GO = new Set(["go", "toolchain", "tool", "replace", "use", "godebug", "ignore"]);

/** The directives of go.mod and go.work: `verb what`, or `verb (` and a line for each. */
function goLines(text: string): Parts | undefined {
  const found = new Map<string, string>();
  let block = "";
  for (const line of text.split("\n")) {
    const words = line.replace(/\/\/.*$/, "").trim();
    if (words === "") continue;
    if (words === ")") {
      block = "";
      continue;
    }
    const verb = block === "" ? (/^[a-z]+/.exec(words)?.[0] ?? "") : block;
    // Not a directive of a known form.
    if (verb === "") return undefined;
    const what = block === "" ? words.slice(verb.length).trim() : words;
    if (block === "" && what === "(") block = verb;
    else if (GO.has(verb)) found.set(`line \0${verb} ${what}`, what);
  }
  return found;
}

/** The plugins in JSON as TypeScript reads it: with comments and trailing commas. */
function plugins(text: string): Parts | undefined {
  const parsed = objectOf(withoutComments(text));
  if (parsed === undefined) return undefined;
  const options = parsed["compilerOptions"];
  const named = typeof options === "object" && options !== null ? options : {};
  const found = new Map<string, string>();
  if ("plugins" in named) found.set("field \0plugins", JSON.stringify(named.plugins));
  if ("extends" in parsed) found.set("field \0extends", JSON.stringify(parsed["extends"]));
  return found;
}

/**
 * Removes comments and trailing commas. Strings are matched first, so that nothing in them counts as
 * a comment.
 *
 * SECURITY: an unclosed string or comment extends to the end of the text; searching for the end of
 * each again would take minutes in a hostile file.
 */
function withoutComments(text: string): string {
  const comments = /("(?:\\[\s\S]|[^"\\])*(?:"|$))|\/\/[^\n]*|\/\*(?:[\s\S]*?\*\/|[\s\S]*$)/g;
  const commas = /("(?:\\[\s\S]|[^"\\])*(?:"|$))|,(?=\s*[}\]])/g;
  return text
    .replace(comments, (_, string?: string) => string ?? " ")
    .replace(commas, (_, string?: string) => string ?? "");
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
    return parsed as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** A changed part, such as the script `postinstall`. */
export type PartChange = { readonly kind: string; readonly name: string };

/** The parts that were added, removed or changed. */
export function changedParts(before: Parts, after: Parts): readonly PartChange[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .filter((part) => before.get(part) !== after.get(part))
    .map((part) => {
      const [kind = "", name = ""] = part.split(" \0");
      return { kind, name };
    });
}
