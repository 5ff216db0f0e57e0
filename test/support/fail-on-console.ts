/** Fails every test during which something was printed: the host's stdout belongs to Neovim. */
import { format } from "node:util";
import { afterEach, expect } from "vitest";

const printed: string[] = [];
for (const method of ["debug", "error", "info", "log", "trace", "warn"] as const) {
  console[method] = (...words: unknown[]) => {
    printed.push(`console.${method}: ${format(...words)}`);
  };
}

afterEach(() => {
  expect(printed.splice(0), "what was printed to the console").toEqual([]);
});
