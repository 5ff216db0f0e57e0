/** A git that does not answer, at every question that decides what is protected. */

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { failingGit, GIT_FAILURES, whenAsked } from "../../../test/support/failing-git.ts";
import { gitTrustedPaths } from "./trusted-paths.ts";

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
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-failing-")));
  root = join(base, "project");
  for (const dir of [root, join(root, "inner")]) {
    await mkdir(join(dir, "hooks"), { recursive: true });
    git(dir, "init", "-q", "-b", "main");
    git(dir, "config", "core.hooksPath", "hooks");
    git(dir, "config", "core.worktree", dir);
    git(dir, "config", "core.attributesFile", "~/attributes");
    git(dir, "config", "includeIf.onbranch:other.path", join(dir, "more.gitconfig"));
    await writeFile(join(dir, "more.gitconfig"), "[core]\n\texcludesFile = hooks\n");
  }
});
afterAll(() => rm(base, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

async function look(path: string | undefined, variables: Readonly<Record<string, string>> = {}) {
  vi.stubEnv("HOME", base);
  vi.stubEnv("XDG_CONFIG_HOME", "");
  vi.stubEnv("GIT_CONFIG_SYSTEM", "/dev/null");
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  if (path !== undefined) vi.stubEnv("PATH", path);
  return gitTrustedPaths(root, { nested: ["inner"] });
}

/** The words of each question, and a condition that tells the questions of the user's own git. */
const QUESTIONS = [
  ["for the settings", whenAsked("config --list")],
  ["for an included file", whenAsked("config -f")],
  ["to expand a path", whenAsked("config --type=path")],
  ["for the top of the work tree", whenAsked("rev-parse --show-toplevel")],
  ["for the index", whenAsked("ls-files")],
  ["for the common directory", whenAsked("rev-parse --git-common-dir")],
] as const;

describe("a git that does not answer", () => {
  describe.each(QUESTIONS)("when it is asked %s", (_question, when) => {
    it.each(Object.entries(GIT_FAILURES))("refuses the project if git %s", async (_how, how) => {
      for (const place of ["project", "inner"]) {
        const inPlace = `${when} && [ "\${PWD##*/}" = ${place} ]`;
        const found = await look(await failingGit(base, how, inPlace));
        expect(found).toMatchObject({ ok: false, error: { fix: expect.stringContaining("git") } });
      }
    });
  });

  it.each(["config --list", "rev-parse --show-toplevel"])(
    "refuses the project if the user's own variables apply and it is asked for %s",
    async (words) => {
      const variables = { GIT_DIR: join(root, ".git"), GIT_WORK_TREE: root };
      expect(await look(undefined, variables)).toMatchObject({ ok: true });
      const when = `${whenAsked(words)} && [ -n "$GIT_DIR" ]`;
      const path = await failingGit(base, GIT_FAILURES["was killed"], when);
      expect(await look(path, variables)).toMatchObject({ ok: false });
    },
  );

  it("refuses a project without a repository, since the user's settings still apply", async () => {
    const plain = join(base, "plain");
    await mkdir(plain, { recursive: true });
    vi.stubEnv("PATH", await failingGit(base, GIT_FAILURES["could not be started"]));
    expect(await gitTrustedPaths(plain)).toMatchObject({ ok: false });
  });
});
