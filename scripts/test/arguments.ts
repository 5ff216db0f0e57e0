/** What `npm test` runs. */
export type TestPlan = {
  /** Parts of paths of test files; empty for all. */
  readonly filters: readonly string[];
  /** Further options for vitest, such as `-t NAME` or `--update`. */
  readonly options: readonly string[];
  /** Whether the linters run, too: not if only some files were asked for. */
  readonly lint: boolean;
  /** Whether Neovim and an engine are needed; unit tests need neither. */
  readonly parts: boolean;
  /** Only some of the tests: files or names were asked for. */
  readonly isPart: boolean;
  /** Tests were asked for by name, so most of a file's tests are left out. */
  readonly byName: boolean;
  /** Whether tests with gVisor's directfs are among them, which need an engine of their own. */
  readonly directfs: boolean;
  /** Whether golden files are to be written. */
  readonly rewrites: boolean;
};

/** Options of vitest that take a value. */
const WITH_VALUE = new Set(["-t", "--testNamePattern", "--reporter", "--bail", "--retry"]);

/** Folders whose tests stand beside their subject and need neither Neovim nor an engine. */
const UNIT = /^(\.\/)?(src|scripts|container)(\/|$)/;

/** The tests whose control is gVisor with directfs. */
const WITH_DIRECTFS = ["attack/remounts.test.ts", "test/sandbox/self-test.test.ts"];

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
  const byName = options.some((option) => /^(-t|--testNamePattern)\b/.test(option));
  return {
    filters,
    options,
    lint: argv.length === 0,
    parts: filters.length === 0 || !filters.every((filter) => UNIT.test(filter)),
    isPart: filters.length > 0 || byName,
    byName,
    directfs: filters.length === 0 || WITH_DIRECTFS.some((file) => matches(file, filters)),
    rewrites: options.some((option) => /^(-u|--update)\b/.test(option)),
  };
}

/** Whether vitest would run a file for these filters. */
function matches(file: string, filters: readonly string[]): boolean {
  return filters.some((filter) => file.includes(filter.replace(/^\.\//, "")));
}
