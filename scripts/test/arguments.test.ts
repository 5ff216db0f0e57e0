import { expect, it } from "vitest";
import { parseTestArguments } from "./arguments.ts";

it("runs everything and lints without arguments", () => {
  expect(parseTestArguments([])).toEqual({ filters: [], options: [], lint: true, parts: true });
});

it("needs no Neovim and no engine for unit tests alone", () => {
  expect(parseTestArguments(["src/chat", "./scripts/setup"]).parts).toBe(false);
  expect(parseTestArguments(["src/chat", "test/nvim"]).parts).toBe(true);
  expect(parseTestArguments(["srcery"]).parts).toBe(true);
  expect(parseTestArguments(["-t", "name"]).parts).toBe(true);
});

it("hands options on with their values, and takes the rest for paths", () => {
  expect(parseTestArguments(["-t", "keeps what", "test/e2e", "--update"])).toEqual({
    filters: ["test/e2e"],
    options: ["-t", "keeps what", "--update"],
    lint: false,
    parts: true,
  });
});
