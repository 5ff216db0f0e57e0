import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{src,scripts,test}/**/*.test.ts"],
    setupFiles: ["test/support/fail-on-console.ts"],
    // Containers and editors are heavier than the tests: more at once only makes them slower.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
