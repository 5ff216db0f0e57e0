import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { commitProblems, messageProblems } from "./commits.ts";

const OLD = "An old subject";
const GOOD = "fix(chat): keep the last line";
const BAD = "Fixed it.";

function newDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-commits-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function git(cwd: string, ...args: readonly string[]): void {
  const who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"];
  execFileSync("git", [...who, ...args], { cwd, stdio: ["ignore", "ignore", "pipe"] });
}

/** A repository with commits of these messages on `branch`, the first one first. */
function repositoryOf(branch: string, subjects: readonly string[]): string {
  const root = newDirectory();
  git(root, "init", "--quiet", `--initial-branch=${branch}`);
  commitAll(root, subjects);
  return root;
}

function commitAll(root: string, subjects: readonly string[]): void {
  for (const subject of subjects) git(root, "commit", "--quiet", "--allow-empty", "-m", subject);
}

describe("a commit message", () => {
  it.each([
    "fix(chat): keep the last line",
    "docs: say how to report a hole",
    "refactor(lua): give every part its rooms\n\nThe body.",
  ])("passes as %j", (message) => {
    expect(messageProblems(message)).toEqual([]);
  });

  it.each([
    ["Fix the last line", "is not of the form"],
    ["fix(chat) keep the last line", "is not of the form"],
    ["wip(chat): keep the last line", "is not of the form"],
    ["fix(Chat): keep the last line", "is not of the form"],
    ["fix(chat): Keep the last line", "is not of the form"],
    ["fix(chat): keep the last line.", "is not of the form"],
    ["fixup! fix(chat): keep the last line", "is not of the form"],
    ["", "is not of the form"],
    [`fix(chat): ${"a".repeat(62)}`, "has 73 columns, at most 72"],
    ["fix(chat): keep the last line\nThe body.", "needs an empty line"],
  ])("is refused as %j", (message, problem) => {
    expect(messageProblems(message).join()).toContain(problem);
  });
});

describe("the commits of a checkout", () => {
  it("are checked from the main branch on", () => {
    const root = repositoryOf("main", [OLD]);
    git(root, "switch", "--quiet", "--create", "topic");
    commitAll(root, [GOOD]);
    expect(commitProblems(root)).toEqual([]);
    commitAll(root, [BAD]);
    expect(commitProblems(root)).toEqual([expect.stringContaining(`"${BAD}" is not of the form`)]);
  });

  it("are checked from the remote's main branch on, in a clone", () => {
    const clone = newDirectory();
    git(clone, "clone", "--quiet", repositoryOf("trunk", [OLD]), ".");
    commitAll(clone, [GOOD, BAD]);
    expect(commitProblems(clone)).toEqual([expect.stringContaining(BAD)]);
  });

  it("are the last ten on a main branch, and where there is none", () => {
    for (const branch of ["main", "other"]) {
      expect(commitProblems(repositoryOf(branch, [OLD, ...Array(10).fill(GOOD)]))).toEqual([]);
      expect(commitProblems(repositoryOf(branch, [OLD, ...Array(9).fill(GOOD)]))).toHaveLength(1);
    }
  });

  it("are those that a shallow clone has, on a branch or on none", () => {
    const clone = newDirectory();
    const origin = repositoryOf("main", [OLD, GOOD]);
    git(clone, "clone", "--quiet", "--depth=1", `file://${origin}`, ".");
    git(clone, "checkout", "--quiet", "--detach");
    expect(commitProblems(clone)).toEqual([]);
    commitAll(clone, [BAD]);
    expect(commitProblems(clone)).toHaveLength(1);
  });

  it("are none of git's own merges", () => {
    const root = repositoryOf("other", [GOOD]);
    git(root, "switch", "--quiet", "--create", "topic");
    commitAll(root, [GOOD]);
    git(root, "switch", "--quiet", "other");
    git(root, "merge", "--quiet", "--no-ff", "-m", "Merge branch 'topic'", "topic");
    expect(commitProblems(root)).toEqual([]);
  });

  it("are reported when git cannot list them", () => {
    expect(commitProblems(newDirectory())).toEqual([expect.stringContaining("git log failed")]);
  });
});
