import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{src,scripts,test,attack}/**/*.test.ts"],
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
