import { RULES } from "./patterns.ts";

/** Says whether a path is watched. */
export type PathMatcher = {
  /**
   * What runs the file at `path`, relative to the project; undefined if nothing does. Names may have
   * any bytes; see `open-directory.ts`.
   */
  readonly fileRuns: (path: string) => string | undefined;
  /** What runs every file below this directory. */
  readonly dirRuns: (path: string) => string | undefined;
  /** Whether watched files may lie below a directory of this path; for a link in its place. */
  readonly leads: (path: string) => boolean;
};

/** The reason that is shown for the user's own patterns. */
const OWN = "your configuration says to watch it";

/**
 * Matches the table's patterns and the user's own; a pattern that begins with `!` excludes its matches.
 *
 * Case is ignored: some tools (just) ignore it, and on some file systems all do.
 */
export function pathMatcher(own: readonly string[]): PathMatcher {
  const all = [
    ...RULES,
    { patterns: own.filter((pattern) => !pattern.startsWith("!")), runs: OWN },
  ].flatMap(({ patterns, runs }) => patterns.map((pattern) => ({ pattern, runs })));
  const out = own.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
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

/** Finds the pattern that a path matches; for most paths with a single look-up. */
class Patterns {
  /** By the last name of the pattern. */
  readonly #exact = new Map<string, { readonly regex: RegExp; readonly runs: string }[]>();
  readonly #globs: { readonly regex: RegExp; readonly runs: string }[] = [];
  /** The last names of all globs in one expression, which most names do not match. */
  #anyGlob: RegExp | undefined;

  add(pattern: string, runs: string): void {
    const regex = regexOf(pattern);
    const name = nameOf(pattern).toLowerCase();
    if (name.includes("*")) {
      this.#globs.push({ regex, runs });
      const names = [this.#anyGlob?.source, `^${bodyOf(name)}$`].filter(
        (source) => source !== undefined,
      );
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

/** For a path without a leading slash. */
function regexOf(pattern: string): RegExp {
  const body = bodyOf(pattern.replace(/^\//, ""));
  return new RegExp(pattern.startsWith("/") ? `^${body}$` : `(?:^|/)${body}$`, "i");
}

/** The parent directories in a pattern: `/a` and `/a/b` for `/a/b/*.lua`. */
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
    .map((part) => part.replace(/\*+/g, "[^/]*"))
    .join("(?:.*/)?");
}
