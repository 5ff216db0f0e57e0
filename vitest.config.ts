import { statSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests of the code alone: few of them wait for anything. */
const UNIT = ["{src,scripts,test/chat}/**/*.test.ts"];

/** Tests of the code with Neovim, Codex, git or containers, for which they mostly wait. */
const WHOLE = ["test/**/*.test.ts"];

/** Those that need their modules for themselves: to stand something in, or to put away what a file shares. */
const ALONE = ["attack/**/*.test.ts", "test/sandbox/unreadable-state.test.ts"];

/** What only root can do: start an engine, mount, give files away, kill what is root's. */
const FOR_ROOT = ".root.test.ts";
const onlyForRoot = (pattern: string) => pattern.replace(".test.ts", FOR_ROOT);

/** Run a second time as root: people use the plugin as root, too, in containers and on servers. */
const WHOLE_AS_ROOT = [
  "test/sandbox/{isolation,odd-paths}.test.ts",
  "test/e2e/{turns/sandboxed-turn,projects/commits}.test.ts",
];
const ALONE_AS_ROOT = ["attack/{files-and-git,network,other-users}.test.ts"];

/**
 * Which of the tests this run has: `npm test` as root runs them in two parts, first as an ordinary
 * user ("user"), then what is left for root ("root"). Undefined is all of them at once.
 */
const part = process.env["CODEX_CHAT_TEST_PART"];

const exclude = [
  ...configDefaults.exclude,
  ".cache/**",
  ...(part === "user" ? [`**/*${FOR_ROOT}`] : []),
];

/** The folders with the longest files. */
const LONG = ["/test/e2e/", "/attack/", "/test/sandbox/"];

/** Starts long files first, so that none is left to run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONG.findIndex((folder) => moduleId.includes(folder));
      return place === -1 ? LONG.length : place;
    };
    const size = ({ moduleId }: TestSpecification) => statSync(moduleId).size;
    return [...files].sort((a, b) => rank(a) - rank(b) || size(b) - size(a));
  }
}

/** How tests that wait for other programs run: a third of their time is spent waiting. */
const WAITING = { maxWorkers: 4, sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: part === "root" ? UNIT.map(onlyForRoot) : UNIT,
          exclude,
          maxWorkers: 3,
          // To load the modules for each file again would be a third of the cost.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: part === "root" ? [...WHOLE.map(onlyForRoot), ...WHOLE_AS_ROOT] : WHOLE,
          exclude: [...exclude, ...UNIT, ...ALONE],
          isolate: false,
          ...WAITING,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: part === "root" ? [...ALONE.map(onlyForRoot), ...ALONE_AS_ROOT] : ALONE,
          exclude,
          ...WAITING,
        },
      },
    ],
    setupFiles: ["test/support/fail-on-console.ts"],
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // One second, the default, is less than a container takes on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    restoreMocks: true,
    unstubEnvs: true,
  },
});
