import { configDefaults, defineConfig } from "vitest/config";

const TESTS = ["{src,scripts,test,attack}/**/*.test.ts"];

/** What only root can do: start an engine, mount, give files away, kill what is root's. */
const FOR_ROOT = ["{src,scripts,test,attack}/**/*.root.test.ts"];

/** Run a second time as root: people use the plugin as root, too, in containers and on servers. */
const ALSO_AS_ROOT = [
  "test/sandbox/{isolation,odd-paths}.test.ts",
  "test/e2e/{sandboxed-turn,commits}.test.ts",
  "attack/{files-and-git,network,other-users}.test.ts",
];

/**
 * Which of the tests this run has: `npm test` as root runs them in two parts, first as an ordinary
 * user ("user"), then what is left for root ("root"). Undefined is all of them at once.
 */
const part = process.env["CODEX_CHAT_TEST_PART"];

export default defineConfig({
  test: {
    include: part === "root" ? [...FOR_ROOT, ...ALSO_AS_ROOT] : TESTS,
    exclude: [...configDefaults.exclude, ...(part === "user" ? FOR_ROOT : [])],
    setupFiles: ["test/support/fail-on-console.ts"],
    // Containers and editors are heavier than the tests: more at once only makes them slower.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // One second, the default, is less than a container takes on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    // A shared machine may pause for longer than any test waits. The report names what it took
    // two attempts for ("retry x1"), and that is to be mended; at a developer's desk it fails.
    retry: process.env["CI"] === "true" ? 1 : 0,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
