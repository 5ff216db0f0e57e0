/**
 * `npm run codex-update -- 0.172.0`: pins and installs a version of Codex, shows what changed in the
 * messages that this project uses, and runs the tests that hold the project against Codex's own
 * schema. docs/updating-codex.md says what is left to do.
 */
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { methodsOf, readProtocol, usedTypes } from "./codex-update/protocol.ts";
import { changedTypes } from "./codex-update/type-diff.ts";
import { checkout, toStderr } from "./setup/index.ts";
import { runVitest } from "./test/vitest.ts";

/** What needs no engine: the schemas, the lists of the proxy, and our client against the binary. */
const CONTRACT_TESTS = ["src/codex", "src/egress/model", "test/codex", "test/chat"];

const codex = join(checkout, "node_modules/.bin/codex");
const [version = "", ...rest] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version) || rest.length > 0) {
  toStderr("usage: npm run codex-update -- VERSION, such as 0.172.0");
  process.exit(1);
}

const oldVersion = await pinnedVersion();
const before = await readProtocol(codex);
await install(version);
const after = await readProtocol(codex);

console.log(`# Codex ${oldVersion} -> ${version}: the messages that this project uses\n`);
const changes = changedTypes([...usedTypes(before), ...usedTypes(after)], before, after);
for (const { type, lines } of changes) console.log(`${type}\n${indented(lines)}\n`);
if (changes.length === 0) console.log("Nothing changed.\n");

console.log("# All methods\n");
for (const [union, methods] of Object.entries(methodsOf(after))) {
  const old = methodsOf(before)[union] ?? [];
  const lines = [
    ...old.filter((method) => !methods.includes(method)).map((method) => `- ${method}`),
    ...methods.filter((method) => !old.includes(method)).map((method) => `+ ${method}`),
  ];
  console.log(`${union}\n${lines.length === 0 ? "  Nothing changed." : indented(lines)}\n`);
}

console.log("# Facts that were measured with an older version\n");
console.log(await measuredFacts(oldVersion));

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(signal));
process.exitCode = await runVitest({
  user: undefined,
  part: undefined,
  args: CONTRACT_TESTS,
  env: {},
  signal: stop.signal,
});

async function pinnedVersion(): Promise<string> {
  const text = await readFile(join(checkout, "package.json"), "utf8");
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> };
  return dependencies["@openai/codex"] ?? "";
}

/** Pins it exactly (see .npmrc). Rejects with npm's own words where there is no such version. */
async function install(wanted: string): Promise<void> {
  // The npm among the packages is for the image; it would replace itself.
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((dir) => !dir.endsWith(join("node_modules", ".bin")))
    .join(delimiter);
  await execa("npm", ["install", "--no-audit", "--no-fund", `@openai/codex@${wanted}`], {
    cwd: checkout,
    env: { PATH: path },
    stdio: ["ignore", 2, 2],
  });
}

/** The lines of the sources that name the minor version which was pinned until now. */
async function measuredFacts(old: string): Promise<string> {
  const minor = old.replace(/\.\d+$/, "").replaceAll(".", "\\.");
  const paths = [":!package-lock.json", ":!CHANGELOG.md"];
  const found = await execa("git", ["grep", "-nE", `\\b${minor}\\b`, "--", ...paths], {
    cwd: checkout,
    reject: false,
  });
  return found.stdout === "" ? "None.\n" : `${found.stdout}\n`;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
