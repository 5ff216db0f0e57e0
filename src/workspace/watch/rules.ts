import { RULES } from "./table.ts";

/** Says whether a path is watched. */
export type PathMatcher = {
  /**
   * What runs the file at `path`, relative to the project; undefined where nothing does.
   * Names are of any bytes; see `open-directory.ts`.
   */
  readonly fileRuns: (path: string) => string | undefined;
  /** What runs or obeys all that lies below this directory. */
  readonly dirRuns: (path: string) => string | undefined;
  /** Whether what is watched may lie below a directory of this path, for a link in its place. */
  readonly leads: (path: string) => boolean;
};

/** What the user's own patterns are said to be run by. */
const OWN = "you have asked for it to be watched";

/**
 * Takes the table and the user's own patterns; one that begins with `!` takes out what it matches.
 *
 * Letters count in either case: some tools do not tell them apart (just), and no tool does on some
 * file systems.
 */
export function pathMatcher(own: readonly string[]): PathMatcher {
  const all = [...RULES, { patterns: own.filter((it) => !it.startsWith("!")), runs: OWN }].flatMap(
    ({ patterns, runs }) => patterns.map((pattern) => ({ pattern, runs })),
  );
  const out = own.filter((it) => it.startsWith("!")).map((it) => it.slice(1));
  const [files, dirs] = [new Patterns(), new Patterns()];
  for (const { pattern, runs } of all) {
    if (pattern.endsWith("/")) dirs.add(pattern.slice(0, -1), runs);
    else files.add(pattern, runs);
  }
  const [noFiles, noDirs] = [new Patterns(), new Patterns()];
  for (const pattern of out) {
    if (pattern.endsWith("/")) noDirs.add(pattern.slice(0, -1), "");
    else noFiles.add(pattern, "");
  }
  const leading = new Patterns();
  for (const { pattern } of all) for (const above of prefixesOf(pattern)) leading.add(above, "");
  return {
    leads: (path) => leading.find(path) !== undefined,
    fileRuns: (path) => (noFiles.find(path) === undefined ? files.find(path) : undefined),
    dirRuns: (path) => (noDirs.find(path) === undefined ? dirs.find(path) : undefined),
  };
}

/** Finds the pattern that a path matches, in the time of one look-up for most of them. */
class Patterns {
  /** By the last name of the pattern. */
  readonly #exact = new Map<string, { readonly regex: RegExp; readonly runs: string }[]>();
  readonly #globs: { readonly regex: RegExp; readonly runs: string }[] = [];
  /** The last names of the globs in one, which most names fail. */
  #anyGlob: RegExp | undefined;

  add(pattern: string, runs: string): void {
    const regex = regexOf(pattern);
    const name = nameOf(pattern).toLowerCase();
    if (name.includes("*")) {
      this.#globs.push({ regex, runs });
      const names = [this.#anyGlob?.source, `^${bodyOf(name)}$`].filter((it) => it !== undefined);
      this.#anyGlob = new RegExp(names.join("|"), "i");
    } else {
      const known = this.#exact.get(name) ?? [];
      known.push({ regex, runs });
      this.#exact.set(name, known);
    }
  }

  find(path: string): string | undefined {
    const name = nameOf(path);
    const exact = this.#exact.get(name.toLowerCase())?.find(({ regex }) => regex.test(path));
    if (exact !== undefined) return exact.runs;
    if (this.#anyGlob?.test(name) !== true) return undefined;
    return this.#globs.find(({ regex }) => regex.test(path))?.runs;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of a path without a slash before it. */
function regexOf(pattern: string): RegExp {
  const body = bodyOf(pattern.replace(/^\//, ""));
  return new RegExp(pattern.startsWith("/") ? `^${body}$` : `(?:^|/)${body}$`, "i");
}

/** The directories that a pattern names above what it matches: `/a`, `/a/b` of `/a/b/*.lua`. */
function prefixesOf(pattern: string): readonly string[] {
  const start = pattern.startsWith("/") ? "/" : "";
  const names = pattern.replace(/^\/|\/$/g, "").split("/");
  return names
    .slice(1)
    .map((_, n) => `${start}${names.slice(0, n + 1).join("/")}`.replace(/\*\*$/, "**/*"));
}

function bodyOf(pattern: string): string {
  // Several stars in a row would be slow to fail.
  return pattern
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/(?:\*\*\/)+/g, "**/")
    .split("**/")
    .map((it) => it.replace(/\*+/g, "[^/]*"))
    .join("(?:.*/)?");
}
