/**
 * Fails one look at the project, at every place where one is taken: no protection may be lost by it.
 */

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { newlyTrustedSince } from "./newly-trusted-paths.ts";
import { inspectProject } from "./project-mounts.ts";

// The subject must be loaded anew to get what is put in place here, and the next file's without it.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

/** The call that fails, counted from 1, and how; 0 lets all succeed. */
const fault = vi.hoisted(() => ({ at: 0, code: "EACCES", calls: 0 }));
/**
 * The answers of git and of the file system, by question: the same tree is looked at some hundred
 * times and does not change meanwhile.
 */
const answers = vi.hoisted(() => new Map<string, unknown>());

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const answer = (name: string, args: unknown[], call: () => Promise<unknown>) => {
    // A handle is closed by whoever opened it.
    if (name === "open") return call();
    const question = JSON.stringify([name, ...args]);
    const known = answers.get(question) ?? call();
    answers.set(question, known);
    // Some lists are sorted in place.
    return Promise.resolve(known).then((list) => (Array.isArray(list) ? [...list] : list));
  };
  const wrap = <T extends (...args: never[]) => Promise<unknown>>(name: string, call: T) =>
    Object.assign((...args: Parameters<T>) => {
      if (++fault.calls !== fault.at) return answer(name, args, () => call(...args));
      const path = String(args[0]);
      return Promise.reject(
        Object.assign(new Error(`${fault.code}: injected, ${name} '${path}'`), {
          code: fault.code,
        }),
      );
    }, call);
  return {
    ...real,
    lstat: wrap("lstat", real.lstat),
    realpath: wrap("realpath", real.realpath),
    readdir: wrap("readdir", real.readdir),
    open: wrap("open", real.open),
  };
});

vi.mock("execa", async (original) => {
  const real = await original<typeof import("execa")>();
  const failed = (code: string) => ({
    failed: true,
    exitCode: code === "exit" ? 128 : undefined,
    code: code === "exit" ? undefined : code,
    stdout: "",
    stderr: "fatal: injected",
    shortMessage: `git failed: ${code}`,
    timedOut: false,
    isMaxBuffer: false,
  });
  return {
    ...real,
    execa: async (program: string, args: string[], options: { cwd: string }) => {
      if (++fault.calls === fault.at) return failed(fault.code);
      const question = JSON.stringify([args, options.cwd]);
      if (!answers.has(question)) answers.set(question, await real.execa(program, args, options));
      return answers.get(question);
    },
  };
});

let base = "";
let root = "";

function git(cwd: string, ...args: readonly string[]): void {
  const config = ["user.name=t", "user.email=t@t", "protocol.file.allow=always"];
  execaSync("git", [...config.flatMap((setting) => ["-c", setting]), ...args], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
}

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-looks-")));
  root = join(base, "project");
  const library = join(base, "library");
  for (const dir of [root, library]) {
    await mkdir(dir, { recursive: true });
    git(dir, "init", "-q", "-b", "main");
    git(dir, "commit", "-q", "--allow-empty", "-m", "first");
  }
  git(root, "submodule", "add", library, "mods/sub");
  await mkdir(join(root, "tools/hooks"), { recursive: true });
  await mkdir(join(root, ".husky"));
  await writeFile(join(root, "tools/textconv"), "");
  await writeFile(join(root, "tools/hooks/pre-commit"), "");
  await writeFile(join(root, "team.gitconfig"), "[alias]\n\tst = status\n");
  git(root, "add", "-A");
  git(root, "commit", "-q", "-m", "second");
  git(root, "config", "diff.bin.textconv", "tools/textconv");
  git(root, "config", "core.hooksPath", "tools/hooks");
  git(root, "config", "include.path", "../team.gitconfig");
  git(root, "worktree", "add", "-q", "trees/side");
  await mkdir(join(root, "vendor/inner"), { recursive: true });
  git(join(root, "vendor/inner"), "init", "-q");
  git(join(root, "vendor"), "init", "-q", "--bare", "bare.git");
});

afterAll(() => rm(base, { recursive: true, force: true }));

// Each question looks for git anew, in every directory of the path before the one that has it.
beforeEach(() => void vi.stubEnv("PATH", `/usr/bin:${process.env["PATH"]}`));

async function look(at: number, code: string) {
  Object.assign(fault, { at, code, calls: 0 });
  const result = await inspectProject({ root, home: "/home/someone", outOfReach: ["/run/secret"] });
  fault.at = 0;
  return result;
}

function protections(result: Awaited<ReturnType<typeof look>>) {
  if (!result.ok) return undefined;
  const { mounts, guarded } = result.value;
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  return {
    mounts: [...mounts].sort((a, b) => (a.target < b.target ? -1 : 1)),
    names: guarded.map(({ name, isParentDir }) => ({ name, isParentDir })).sort(byName),
  };
}

/** How a call may fail; "exit" is a git that exits with 128. */
const CODES = ["EACCES", "EIO", "exit", "EMFILE", "ELOOP"];

describe("a look at the file system that fails", () => {
  it("ends in a refusal or keeps every protection, whichever look it is", async () => {
    const whole = protections(await look(0, ""));
    const count = fault.calls;
    const asked = [...answers.keys()].flatMap(
      (key) => /"(config|rev-parse|ls-files)"/.exec(key)?.[1] ?? [],
    );
    expect([...new Set(asked)].sort(), "git commands that may fail").toEqual([
      "config",
      "ls-files",
      "rev-parse",
    ]);
    const found = whole?.names.filter(({ isParentDir }) => !isParentDir).map(({ name }) => name);
    expect(found?.sort()).toEqual([
      ".git",
      ".husky",
      "mods/sub/.git",
      "team.gitconfig",
      "tools/hooks",
      "tools/textconv",
      "trees/side/.git",
      "trees/side/mods/sub",
      "trees/side/tools/hooks",
      "trees/side/tools/textconv",
      "vendor/bare.git",
      "vendor/inner/.git",
    ]);
    let refusals = 0;
    for (let at = 1; at <= count; at++) {
      const result = await look(at, CODES[at % CODES.length] ?? "");
      if (result.ok) expect(protections(result), `call ${at}`).toEqual(whole);
      else {
        refusals++;
        expect(result.error.kind).toBe("project_refused");
        expect(result.error.fix).not.toBe("");
      }
    }
    // Only looks outside of the project, which decide nothing, may fail unheard.
    expect(refusals).toBeGreaterThan(count / 2);
  }, 180_000);

  it("before a turn does not hide a path that git newly obeys", async () => {
    const found = await look(0, "");
    if (!found.ok) throw new Error(found.error.message);
    await writeFile(join(root, "attributes"), "");
    git(root, "config", "core.attributesFile", "attributes");
    answers.clear();
    onTestFinished(() => git(root, "config", "--unset", "core.attributesFile"));
    Object.assign(fault, { at: 0, calls: 0 });
    const late = () =>
      newlyTrustedSince(found.value.guarded, () =>
        inspectProject({ root, home: "/home/someone", outOfReach: ["/run/secret"] }),
      );
    expect(await late()).toEqual({ names: ["attributes"], made: [] });
    const count = fault.calls;
    for (let at = 1; at <= count; at++) {
      Object.assign(fault, { at, code: CODES[at % CODES.length] ?? "", calls: 0 });
      const { names, problem } = await late();
      expect(problem ?? names, `call ${at}`).not.toEqual([]);
    }
  }, 180_000);
});
