/** What `npm test` runs. */
export type TestPlan = {
  /** Parts of paths of test files; empty for all. */
  readonly filters: readonly string[];
  /** Further options for vitest, such as `-t NAME` or `--update`. */
  readonly options: readonly string[];
  /** The linters count as tests, but not where only some files were asked for. */
  readonly lint: boolean;
  /** Unit tests need neither Neovim nor an engine. */
  readonly parts: boolean;
};

/** Options of vitest's that are followed by a value of their own. */
const WITH_VALUE = new Set(["-t", "--testNamePattern", "--reporter", "--bail", "--retry"]);

/** Folders whose tests stand beside their subject and need no part of the outside. */
const UNIT = /^(\.\/)?(src|scripts|container)(\/|$)/;

/** Reads the arguments of `npm test`. */
export function parseTestArguments(argv: readonly string[]): TestPlan {
  const filters: string[] = [];
  const options: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (!argument.startsWith("-")) {
      filters.push(argument);
      continue;
    }
    options.push(argument);
    const value = argv[index + 1];
    if (WITH_VALUE.has(argument) && value !== undefined) {
      options.push(value);
      index++;
    }
  }
  return {
    filters,
    options,
    lint: argv.length === 0,
    parts: filters.length === 0 || !filters.every((filter) => UNIT.test(filter)),
  };
}
