import { expect, it } from "vitest";
import { parseTestArguments } from "./arguments.ts";

it("runs everything and lints without arguments", () => {
  expect(parseTestArguments([])).toEqual({
    ...{ filters: [], options: [], lint: true, parts: true },
    ...{ isPart: false, byName: false, directfs: true, rewrites: false },
  });
});

it("needs no Neovim and no engine for unit tests alone", () => {
  expect(parseTestArguments(["src/chat", "./scripts/setup"]).parts).toBe(false);
  expect(parseTestArguments(["src/chat", "test/nvim"]).parts).toBe(true);
  expect(parseTestArguments(["srcery"]).parts).toBe(true);
  expect(parseTestArguments(["-t", "name"]).parts).toBe(true);
});

it("passes options on with their values, and takes the rest for paths", () => {
  expect(parseTestArguments(["-t", "keeps what", "test/e2e", "--update"])).toEqual({
    filters: ["test/e2e"],
    options: ["-t", "keeps what", "--update"],
    lint: false,
    parts: true,
    isPart: true,
    byName: true,
    directfs: false,
    rewrites: true,
  });
});

it("knows that a part was asked for, by file or by name", () => {
  const some = { isPart: true, byName: false };
  expect(parseTestArguments(["src/chat"])).toMatchObject(some);
  expect(parseTestArguments(["--testNamePattern=keeps"])).toMatchObject({ ...some, byName: true });
  expect(parseTestArguments(["--bail", "1"])).toMatchObject({ ...some, isPart: false });
});

it.each([
  [["attack"], true],
  [["./attack/remounts"], true],
  [["self-test"], true],
  [["test/sandbox/self-test.test.ts"], true],
  [["attack/editor"], false],
  [["test/nvim", "src"], false],
])("wants the engine with directfs only if a test of it is asked for: %j", (argv, expected) => {
  expect(parseTestArguments(argv).directfs).toBe(expected);
});
