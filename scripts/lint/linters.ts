import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { checkout, type LintPrograms } from "../setup/index.ts";
import { commitProblems } from "./commits.ts";
import { luaNames } from "./lua-names.ts";
import { luaWalls } from "./lua-walls.ts";
import { typescriptWalls } from "./walls.ts";

/** A check of the sources that passes or fails as a whole: a program, or a function of this project. */
export type Linter = { readonly name: string } & (
  | {
      readonly argv: readonly [string, ...string[]];
      readonly env?: Readonly<Record<string, string>>;
    }
  /** Returns a line for each problem. */
  | { readonly check: () => readonly string[] }
);

/** How a linter ended; `output` is everything it wrote. */
export type LintResult = {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
};

/** Lists the linters for the files that git knows or would add. */
export async function linters({ luacheck, shellcheck }: LintPrograms): Promise<readonly Linter[]> {
  const files = await sourceFiles();
  const lua = files.filter((path) => path.endsWith(".lua"));
  const shell = files.filter((path) => path === ".ci/run" || path.endsWith(".sh"));
  return [
    { name: "biome", argv: [bin("biome"), "check", "--diagnostic-level=warn"] },
    { name: "tsc", argv: [bin("tsc"), "--project", "."] },
    { name: "stylua", argv: [bin("stylua"), "--check", ...lua] },
    { name: "luacheck", argv: [...luacheck.argv, "--quiet", ...lua], env: luacheck.env },
    { name: "shellcheck", argv: [...shellcheck.argv, ...shell], env: shellcheck.env },
    { name: "knip", argv: [bin("knip"), "--no-progress", "--treat-config-hints-as-errors"] },
    { name: "commits", check: () => commitProblems(checkout) },
    { name: "walls", check: () => typescriptWalls(checkout, files) },
    { name: "lua-walls", check: () => luaWalls(checkout, files) },
    { name: "lua-names", check: () => luaNames(checkout, files) },
  ];
}

/** Runs one linter to its end. */
async function lint(linter: Linter): Promise<LintResult> {
  const started = performance.now();
  const { name } = linter;
  if ("check" in linter) {
    const problems = linter.check();
    const seconds = (performance.now() - started) / 1000;
    return { name, passed: problems.length === 0, seconds, output: problems.join("\n") };
  }
  const { argv, env = {} } = linter;
  const [file, ...args] = argv;
  const { failed, all, shortMessage } = await execa(file, args, {
    cwd: checkout,
    env: { ...env },
    all: true,
    reject: false,
    stdin: "ignore",
  });
  const seconds = (performance.now() - started) / 1000;
  return { name, passed: !failed, seconds, output: all || (shortMessage ?? "") };
}

/** The tools that rewrite sources the way the linters want them. */
export async function formatters(): Promise<readonly Linter[]> {
  const lua = (await sourceFiles()).filter((path) => path.endsWith(".lua"));
  return [
    { name: "biome", argv: [bin("biome"), "check", "--write", "--diagnostic-level=warn"] },
    { name: "stylua", argv: [bin("stylua"), ...lua] },
  ];
}

/** Runs them in turn and prints each one's outcome, with its output if it failed. */
export async function runAll(tools: readonly Linter[]): Promise<readonly LintResult[]> {
  const results: LintResult[] = [];
  for (const tool of tools) {
    const result = await lint(tool);
    results.push(result);
    const outcome = result.passed ? "ok" : "failed";
    console.log(`lint: ${result.name} ${outcome} (${result.seconds.toFixed(1)} s)`);
    if (!result.passed) console.log(result.output);
  }
  return results;
}

async function sourceFiles(): Promise<readonly string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await execa("git", args, { cwd: checkout });
  // git lists a deleted file until the deletion is committed.
  return stdout.split("\0").filter((path) => path !== "" && existsSync(join(checkout, path)));
}

function bin(name: string): string {
  return join(checkout, "node_modules/.bin", name);
}
