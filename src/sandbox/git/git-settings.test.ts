import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { gitTrustedPaths } from "./trusted-paths.ts";

let home = "";
let root = "";

async function git(...args: readonly string[]): Promise<void> {
  await execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: root });
}

async function files(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), "");
  }
}

async function obeyed() {
  const found = await gitTrustedPaths(root);
  if (!found.ok) throw new Error(found.error.reason);
  return { names: found.value.names, notes: found.value.notes };
}

/** Writes the user's own configuration. */
async function global(text: string): Promise<void> {
  await writeFile(join(home, ".gitconfig"), text);
}

const NONE = { names: [], notes: [] };

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-settings-")));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  vi.stubEnv("HOME", home);
  vi.stubEnv("XDG_CONFIG_HOME", "");
  vi.stubEnv("GIT_CONFIG_SYSTEM", "/dev/null");
  for (const name of ["EDITOR", "VISUAL", "PAGER"]) vi.stubEnv(name, undefined);
  root = join(home, "my (old) proj");
  await mkdir(root);
  await git("init", "-q", "-b", "main");
});

describe("a file in a project that git's settings name", () => {
  it("is found with any quoting in a directory with a blank in its name", async () => {
    await files("tools/fmt.sh", "tools/sign", "tools/ask");
    await git("config", "filter.x.clean", `'${root}/tools/fmt.sh' %f`);
    // Started by no shell.
    await git("config", "gpg.program", `${root}/tools/sign`);
    await git("config", "core.sshCommand", "~/my\\ \\(old\\)\\ proj/tools/ask");
    expect((await obeyed()).names.toSorted()).toEqual(["tools/ask", "tools/fmt.sh", "tools/sign"]);
  });

  it("is not found for ordinary settings, even in oddly named sources", async () => {
    await files("store/index.js", "code/package.json", "log.ts", "less.py", "delta/__main__.py");
    await git("config", "credential.helper", "store");
    await git("config", "core.editor", "code --wait");
    await git("config", "core.pager", "delta");
    await git("config", "pager.log", "less -FRX");
    await git("config", "alias.l", "log --graph --format='%h %s'");
    await git("config", "alias.up", "!git fetch && git rebase $(git merge-base HEAD origin/main)");
    await git("config", "alias.r", "rebase -i --autosquash");
    await git("config", "filter.lfs.process", "git-lfs filter-process");
    await git("config", "credential.https://github.com.helper", "!gh auth git-credential");
    await git("config", "url.git@github.com:.insteadOf", "https://github.com/");
    await git("config", "branch.main.remote", "origin");
    expect(await obeyed()).toEqual(NONE);
  });

  it.each([
    ["url.ext::sh Tools/Key.sh %S.insteadOf", "mine:"],
    ["branch.main.remote", "ext::sh Tools/Key.sh"],
    ["alias.x", "-c core.pager='sh Tools/Key.sh' log"],
    ["alias.x", "!git -c core.pager='sh Tools/Key.sh' log"],
    ["alias.x", "-c 'url.ext::sh Tools/Key.sh %S.insteadOf=mine:' fetch"],
    ["alias.x", "rebase -x 'sh Tools/Key.sh'"],
    ["alias.x", "submodule foreach 'sh $toplevel/Tools/Key.sh'"],
    ["core.editor", "sh -c 'exec \"$0/Tools/Key.sh\"' ~/my\\ \\(old\\)\\ proj"],
    ["some.future.key", "'Tools/Key.sh' now"],
  ])("is found for %s = %s", async (key, value) => {
    await files("Tools/Key.sh");
    await git("config", key, value);
    const { names, notes } = await obeyed();
    if (value.includes("$0"))
      expect(notes).toEqual([expect.stringContaining("could not be found")]);
    else expect({ names, notes }).toEqual({ names: ["Tools/Key.sh"], notes: [] });
  });

  it.each(["alias.pager", "alias.x.command"])("is found for %s, as git reads it", async (key) => {
    await files("hooks/pre-commit", "a dir/hooks/pre-push");
    await git("config", key, "-c core.hooksPath=hooks -c 'core.attributesFile=a dir' commit");
    expect(await obeyed()).toEqual({ names: ["hooks", "a dir"], notes: [] });
  });

  it.each([
    ["ssh", "mine.pub", ["mine.pub"]],
    ["ssh", "key::ssh-ed25519 mine.pub", []],
    ["openpgp", "mine.pub", []],
    ["openpgp", "./mine.pub", ["mine.pub"]],
  ])("may be a signing key, with gpg.format=%s and %s: %j", async (format, key, names) => {
    await files("mine.pub");
    await git("config", "gpg.format", format);
    await git("config", "user.signingKey", key);
    expect(await obeyed()).toEqual({ names, notes: [] });
  });

  it("is found even beside a path that git cannot expand, which is reported", async () => {
    await files("attributes");
    await writeFile(
      join(root, ".git/config"),
      "[blame]\n\tignoreRevsFile = ~nosuchuser/x\n[core]\n\tattributesFile = attributes\n[commit]\n\ttemplate\n",
    );
    const { names, notes } = await obeyed();
    expect(names).toEqual(["attributes"]);
    expect(notes).toEqual([
      expect.stringContaining("blame.ignorerevsfile is a path that git cannot"),
    ]);
  });

  it.each([
    "onbranch:release",
    "hasconfig:remote.*.url:https://example.com/**",
    "gitdir:~/elsewhere/",
  ])("is found for settings that apply if %s holds", async (condition) => {
    await files("tools/hooks/pre-push", "more.conf", "tools/pager.sh");
    await writeFile(join(root, "tools/pager.sh"), "");
    // A file outside, and one in the project that it includes on another condition.
    await writeFile(
      join(home, "work.conf"),
      `[core]\n\thooksPath = tools/hooks\n[includeIf "onbranch:never"]\n\tpath = "${root}/more.conf"\n`,
    );
    await writeFile(join(root, "more.conf"), "[core]\n\tpager = ./tools/pager.sh\n");
    await global(`[includeIf "${condition}"]\n\tpath = ~/work.conf\n`);
    const { names, notes } = await obeyed();
    expect(names.toSorted()).toEqual(["more.conf", "tools/hooks", "tools/pager.sh"]);
    expect(notes).toEqual([]);
  });

  it("is found in a repository that would be bare on another branch", async () => {
    await git("commit", "-q", "--allow-empty", "-m", "first");
    await git("clone", "-q", root, join(home, "library"));
    await git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "add",
      "-q",
      `${home}/library`,
      "lib",
    );
    await writeFile(join(home, "more.conf"), "[core]\n\tbare = true\n\tworktree = /\n");
    await git("config", "includeIf.onbranch:x.path", join(home, "more.conf"));
    await git("config", "--unset", "core.bare");
    expect(await obeyed()).toEqual({ names: ["lib/.git"], notes: [] });
  });

  it("leads to a refusal if git cannot read an included file", async () => {
    await files("more.conf");
    await git("config", "includeIf.onbranch:x.path", "../more.conf");
    await writeFile(join(root, "more.conf"), "[broken");
    expect(await gitTrustedPaths(root)).toMatchObject({
      ok: false,
      error: { reason: expect.stringContaining("bad config line") },
    });
  });

  it("is found below the work tree that core.worktree names", async () => {
    await files("src/hooks/pre-commit", "hooks/pre-commit", "src/run.sh");
    await git("config", "core.worktree", "../src");
    await git("config", "core.hooksPath", "hooks");
    await git("config", "core.pager", "./run.sh");
    expect(await obeyed()).toEqual({ names: ["src/hooks", "src/run.sh"], notes: [] });
  });

  it("is also found with the environment's git directory and work tree", async () => {
    await files("src/pager.sh", "hooks/pre-commit");
    await git("config", "core.hooksPath", "hooks");
    await git("init", "-q", "--bare", join(home, "own.git"));
    await git("--git-dir", join(home, "own.git"), "config", "core.bare", "false");
    await git("--git-dir", join(home, "own.git"), "config", "core.pager", "./pager.sh");
    await git("init", "-q", "--bare", join(root, "kept.git"));
    vi.stubEnv("GIT_DIR", join(home, "own.git"));
    vi.stubEnv("GIT_WORK_TREE", join(root, "src"));
    expect(await obeyed()).toEqual({ names: ["hooks", "src/pager.sh"], notes: [] });
    vi.stubEnv("GIT_DIR", join(root, "kept.git"));
    expect(await obeyed()).toEqual({ names: ["hooks", "kept.git"], notes: [] });
    vi.stubEnv("GIT_DIR", "absent.git");
    expect((await obeyed()).notes).toEqual([
      expect.stringContaining("GIT_DIR leads to absent.git, which is not there"),
    ]);
    vi.stubEnv("GIT_DIR", join(home, "own.git"));
    await writeFile(join(home, "own.git/config"), "[broken");
    expect((await obeyed()).notes).toEqual([expect.stringContaining("bad config line")]);
  });

  it("is independent of the file that GIT_CONFIG names", async () => {
    await files("hooks/pre-commit");
    await git("config", "core.hooksPath", "hooks");
    vi.stubEnv("GIT_CONFIG", "/dev/null");
    expect(await obeyed()).toEqual({ names: ["hooks"], notes: [] });
  });

  it("is found with a git that cannot list work trees with zeros", async () => {
    await git("commit", "-q", "--allow-empty", "-m", "first");
    await git("worktree", "add", "-q", "--detach", 'trees/odd "name"\nhere');
    const bin = join(home, "bin");
    await mkdir(bin);
    const { stdout: real } = await execa("sh", ["-c", "command -v git"]);
    await writeFile(
      join(bin, "git"),
      `#!/bin/sh\ncase " $* " in *" worktree list "*" -z "*) echo "error: unknown switch \\\`z'" >&2; exit 129;; esac\nexec ${real} "$@"\n`,
    );
    await chmod(join(bin, "git"), 0o755);
    vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
    // It is this git that is asked.
    const listed = await execa("git", ["worktree", "list", "--porcelain", "-z"], {
      cwd: root,
      reject: false,
    });
    expect(listed.exitCode).toBe(129);
    expect(await obeyed()).toEqual({ names: ['trees/odd "name"\nhere/.git'], notes: [] });
  });
});
