import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { failingGit, GIT_FAILURES } from "../test/support/failing-git.ts";
import { askGit, gitVersion, isNewEnough, isNoRepository, runGit } from "./git.ts";
import { leaveOut } from "./programs.ts";

let base = "";
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-door-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
});

/** What the host does with git in a directory that is there. */
async function runsInDirectory(limits: { readonly timeoutMs?: number } = {}) {
  const question = { dir: base, command: "rev-parse", args: ["--git-dir"], ...limits } as const;
  return Promise.all([
    runGit({ gitDir: base, args: ["rev-parse", "--git-dir"], ...limits }),
    askGit(question),
  ]);
}

/** Everything that the host does with git. */
async function runs() {
  const [version, inDirectory] = await Promise.all([gitVersion(process.env), runsInDirectory()]);
  return [...inDirectory, version] as const;
}

describe("git on the host", () => {
  it.each(Object.entries(GIT_FAILURES))("returns an error if git %s", async (_how, failure) => {
    vi.stubEnv("PATH", await failingGit(base, failure));
    for (const run of await runs()) {
      if (run.ok) throw new Error("git has answered");
      expect(run.error.kind).toBe("git_failed");
      expect(isNoRepository(run.error)).toBe(false);
    }
  });

  it("has an exit code only if git itself ended with it", async () => {
    const codes: (number | undefined)[] = [];
    for (const failure of Object.values(GIT_FAILURES)) {
      vi.stubEnv("PATH", await failingGit(base, failure));
      const [run] = await runs();
      codes.push(run.ok ? 0 : run.error.exitCode);
      vi.unstubAllEnvs();
    }
    expect(codes).toEqual([undefined, undefined, undefined, 128, 3]);
  });

  it("returns an error if git does not end", async () => {
    vi.stubEnv("PATH", await failingGit(base, "exec tail -f /dev/null"));
    // Not the version, whose limit is ten seconds.
    for (const answer of await runsInDirectory({ timeoutMs: 50 }))
      expect(answer).toMatchObject({ ok: false, error: { kind: "git_too_slow" } });
  });

  it("runs in a process group of its own, so that a signal to the host's does not end it", async () => {
    vi.stubEnv("PATH", await failingGit(base, "exec cut -d' ' -f5 /proc/self/stat"));
    const { stdout: own } = await execa("ps", ["-o", "pgid=", "-p", String(process.pid)]);
    for (const run of await runsInDirectory()) {
      if (!run.ok) throw new Error(run.error.message);
      const group = run.value.toString().trim();
      expect(group).toMatch(/^\d+$/);
      expect(group).not.toBe(own.trim());
    }
  });

  it("counts as missing only if there is none, not if the one found must not be run", async () => {
    await mkdir(join(base, "empty"));
    vi.stubEnv("PATH", join(base, "empty"));
    for (const run of await runs())
      expect(run).toMatchObject({ ok: false, error: { kind: "git_missing" } });
    await writeFile(join(base, "empty/git"), "#!/bin/sh\n");
    await chmod(join(base, "empty/git"), 0o755);
    leaveOut(base);
    for (const run of await runs())
      expect(run).toMatchObject({ ok: false, error: { kind: "git_failed" } });
  });

  it("ignores the environment's variables for git, except those that locate its settings", async () => {
    vi.stubEnv("PATH", await failingGit(base, "env; exit 0"));
    for (const name of ["GIT_DIR", "GIT_EXTERNAL_DIFF", "GIT_SSH", "GIT_TRACE", "GIT_EXEC_PATH"])
      vi.stubEnv(name, "/elsewhere");
    vi.stubEnv("LD_PRELOAD_X", "/elsewhere");
    vi.stubEnv("GIT_CONFIG_GLOBAL", "/dev/null");
    const [run, question] = await runs();
    const namesOf = (text: string) =>
      text
        .split("\n")
        .map((line) => line.replace(/=.*/, ""))
        .filter((name) => name !== "" && !/^(_|PWD|OLDPWD|SHLVL)$/.test(name))
        .toSorted();
    const fixed = [
      "GIT_ALLOW_PROTOCOL",
      "GIT_ASKPASS",
      "GIT_NO_LAZY_FETCH",
      "GIT_NO_REPLACE_OBJECTS",
      "GIT_OPTIONAL_LOCKS",
      "GIT_TERMINAL_PROMPT",
      "HOME",
      "LC_ALL",
      "PATH",
    ];
    if (!run.ok || !question.ok) throw new Error("git has not answered");
    const own = ["GIT_ATTR_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_DIR"];
    expect(namesOf(run.value.toString())).toEqual([...fixed, ...own].toSorted());
    expect(run.value.toString()).toContain(`GIT_DIR=${base}\n`);
    const others = namesOf(question.value).filter((name) => !fixed.includes(name));
    expect(
      others.filter((name) => name !== "XDG_CONFIG_HOME" && !/^GIT_CONFIG_/.test(name)),
    ).toEqual(["GIT_CEILING_DIRECTORIES"]);
  });

  it("recognizes a missing repository by git's message", async () => {
    const [run, question] = await runs();
    for (const answer of [run, question])
      expect(!answer.ok && isNoRepository(answer.error)).toBe(true);
    await execa("git", ["init", "-q"], { cwd: base });
    expect((await runs())[1]).toEqual({ ok: true, value: ".git\n" });
  });

  it("is started in only one source file", async () => {
    const sources = await readdir(import.meta.dirname, { recursive: true });
    const starting: string[] = [];
    for (const name of sources) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      const text = await readFile(join(import.meta.dirname, name), "utf8");
      if (/(?:program|findProgram|execa|spawn|execFile)\(\s*"git"/i.test(text)) starting.push(name);
    }
    expect(starting).toEqual(["git.ts"]);
  });
});

describe("git's version", () => {
  it("is read from the installed git", async () => {
    const { stdout } = await execa("git", ["--version"]);
    const version = await gitVersion(process.env);
    expect(version.ok && stdout.includes(version.value)).toBe(true);
  });

  it.each([
    ["2.32", true],
    ["2.31.9", false],
    ["2.9.5", false],
    ["2.100.0", true],
    ["3.0", true],
  ])("%s is new enough: %s", (version, isNew) => {
    expect(isNewEnough(version)).toBe(isNew);
  });
});
