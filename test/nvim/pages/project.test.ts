/** Which directory is the project: the same as git's, where git has one. */

import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { SYSTEM_DIRS } from "../../../src/sandbox/mounts/project-mounts.ts";
import { judgeProject } from "../../../src/session/backend/project-place.ts";
import { openChat } from "../../support/chat.ts";
import { makeOther } from "../../support/hostile-git.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const fixed = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"];
  const env = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
  return (await execa("git", [...fixed, ...args], { cwd, env, reject: false })).stdout.trim();
}

async function fresh(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-tops-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function bare(dir: string, ...heads: readonly string[]): Promise<void> {
  for (const name of ["objects", "refs"]) await mkdir(join(dir, name), { recursive: true });
  for (const head of heads) await writeFile(join(dir, "HEAD"), head);
}

const rootOf = (nvim: Neovim, dir: string) =>
  nvim.lua<string>("return require('codex-chat.project').root(...)", dir);

const ID = "a".repeat(40);

/** What may stand at `.git`, with whether git goes on upwards. */
const PLACES: readonly (readonly [
  name: string,
  isPassedOver: boolean,
  plant: (app: string) => Promise<unknown>,
])[] = [
  ["an empty directory", true, (app) => mkdir(join(app, ".git"))],
  [
    "a directory with only an empty HEAD",
    true,
    async (app) => {
      await mkdir(join(app, ".git"));
      await writeFile(join(app, ".git/HEAD"), "");
    },
  ],
  [
    "a directory with only a HEAD",
    true,
    async (app) => {
      await mkdir(join(app, ".git"));
      await writeFile(join(app, ".git/HEAD"), "ref: refs/heads/main\n");
    },
  ],
  ["a directory without HEAD", true, (app) => bare(join(app, ".git"))],
  ["a directory with a meaningless HEAD", true, (app) => bare(join(app, ".git"), "hello\n")],
  [
    "a directory whose commondir leads nowhere",
    true,
    async (app) => {
      await bare(join(app, ".git"), "ref: refs/heads/main\n");
      await writeFile(join(app, ".git/commondir"), "../nowhere\n");
    },
  ],
  ["a link that leads nowhere", true, (app) => symlink("nowhere", join(app, ".git"))],
  ["a link to itself", true, (app) => symlink(".git", join(app, ".git"))],
  ["a pipe", true, (app) => execa("mkfifo", [join(app, ".git")])],
  ["a repository", false, (app) => git(app, "init", "-q")],
  ["a repository on a commit", false, (app) => bare(join(app, ".git"), `${ID}\n`)],
  [
    "a repository whose HEAD is a link",
    false,
    async (app) => {
      await bare(join(app, ".git"));
      await symlink("refs/heads/main", join(app, ".git/HEAD"));
    },
  ],
  [
    "a repository elsewhere",
    false,
    (app) => git(app, "init", "-q", "--separate-git-dir", `${app}.git`),
  ],
  [
    "a link to a repository elsewhere",
    false,
    async (app) => {
      await git(app, "init", "-q");
      await rename(join(app, ".git"), `${app}.git`);
      await symlink(`${app}.git`, join(app, ".git"));
    },
  ],
  [
    "a submodule",
    false,
    async (app) => {
      const library = await fresh();
      await makeOther(library);
      await rm(app, { recursive: true });
      await git(join(app, ".."), "submodule", "add", "-q", library, "app");
      await mkdir(join(app, "src"));
    },
  ],
  [
    "a worktree",
    false,
    async (app) => {
      await git(join(app, ".."), "commit", "-q", "--allow-empty", "-m", "first");
      await rm(app, { recursive: true });
      await git(join(app, ".."), "worktree", "add", "-q", app);
      await mkdir(join(app, "src"));
    },
  ],
];

describe.each(neovims)("the project on Neovim $name", (program) => {
  it.each(PLACES)(
    "is the top level that git finds if .git is %s",
    async (_name, isPassedOver, plant) => {
      await using nvim = await startNeovim({ program });
      const top = await fresh();
      await git(top, "init", "-q");
      const app = join(top, "app");
      await mkdir(join(app, "src"), { recursive: true });
      await plant(app);
      const expected = isPassedOver ? top : app;
      expect(await git(join(app, "src"), "rev-parse", "--show-toplevel")).toBe(expected);
      expect(await rootOf(nvim, join(app, "src"))).toBe(expected);
    },
  );

  it("ignores a .git file that names no git directory, which git itself rejects", async () => {
    await using nvim = await startNeovim({ program });
    const top = await fresh();
    await git(top, "init", "-q");
    for (const [n, text] of ["gitdir: nowhere\n", "hello\n", "", `gitdir: ${top}\n`].entries()) {
      const app = join(top, `app${n}`);
      await mkdir(app);
      await writeFile(join(app, ".git"), text);
      expect(await git(app, "rev-parse", "--show-toplevel")).toBe("");
      expect(await rootOf(nvim, app)).toBe(top);
    }
  });

  it("stays the repository that git obeys when the agent puts an empty .git into a subdirectory", async () => {
    const top = await fresh();
    const app = join(top, "app");
    await mkdir(join(app, "githooks"), { recursive: true });
    await git(top, "init", "-q");
    await git(top, "config", "core.hooksPath", "app/githooks");
    // All that follows could be done inside, where app/githooks were writable.
    await mkdir(join(app, ".git"));
    await using chat = await openChat({ program, cwd: app });
    expect(await chat.nvim.lua("return require('codex-chat').status().root")).toBe(top);
    const hook = join(app, "githooks/post-commit");
    await writeFile(hook, `#!/bin/sh\ntouch ${top}/ran\n`);
    await chmod(hook, 0o755);
    await git(app, "commit", "-q", "--allow-empty", "-m", "x");
    expect(await git(top, "status", "--porcelain", "ran")).toBe("?? ran");
  });

  it("is never the home directory or a parent of it, even if those are repositories", async () => {
    const base = await fresh();
    const home = join(base, "home");
    await mkdir(join(home, "work/deep"), { recursive: true });
    await mkdir(join(home, "notes/deep"), { recursive: true });
    for (const dir of [base, home]) {
      await git(dir, "init", "-q");
      await writeFile(join(dir, "package.json"), "{}");
    }
    await writeFile(join(home, "notes/Makefile"), "");
    await symlink(home, join(base, "alias"));
    for (const as of [home, join(base, "alias")]) {
      await using nvim = await startNeovim({ program, home: as });
      expect(await rootOf(nvim, join(home, "work/deep"))).toBe(join(home, "work/deep"));
      expect(await rootOf(nvim, join(home, "notes/deep"))).toBe(join(home, "notes"));
      // The host refuses it, with a sentence.
      expect(await rootOf(nvim, home)).toBe(home);
    }
    await git(join(home, "work"), "init", "-q");
    await using nvim = await startNeovim({ program, home });
    expect(await rootOf(nvim, join(home, "work/deep"))).toBe(join(home, "work"));
    // Beside the home, a repository around both is not the project.
    await mkdir(join(base, "beside"));
    expect(await rootOf(nvim, join(base, "beside"))).toBe(join(base, "beside"));
  });

  it("is never another directory that the host refuses", async () => {
    const base = await fresh();
    const home = join(base, "home");
    const state_dir = join(base, "data/state");
    const runtime = join(base, "run/user");
    const env = { HOME: home, XDG_RUNTIME_DIR: runtime, GNUPGHOME: join(base, "keys/gnupg") };
    const dirs = ["home/work", "home/.ssh/x", "data/state/x", "data/app", "run/app", "keys/app"];
    for (const dir of [...dirs, "keys/gnupg", "run/user"])
      await mkdir(join(base, dir), { recursive: true });
    for (const dir of ["data", "run", "keys"]) await git(join(base, dir), "init", "-q");
    await using nvim = await startNeovim({ program, home, env, config: { state_dir } });
    // A repository around what no agent may see makes nothing below it a project that cannot be.
    for (const dir of ["data/app", "run/app", "keys/app"])
      expect(await rootOf(nvim, join(base, dir))).toBe(join(base, dir));
    const all = [
      ...SYSTEM_DIRS,
      "/proc/self/fd",
      "/run/podman",
      base,
      ...["data", "run", "keys", ...dirs].map((name) => join(base, name)),
    ];
    const known = await nvim.lua<(string | null)[]>(
      "return vim.tbl_map(function(dir) return require('codex-chat.project.refusal').of(dir) or vim.NIL end, ...)",
      all,
    );
    for (const [n, dir] of all.entries()) {
      // What is not there, or is a link, is judged by the host as what it is.
      if ((await realpath(dir).catch(() => "")) !== dir) continue;
      const judged = await judgeProject(dir, { state_dir }, env);
      expect([dir, known[n] === null]).toEqual([dir, judged.ok]);
    }
  });

  it("is a package of a repository if the user names it, in the configuration or just for now", async () => {
    const top = await fresh();
    await git(top, "init", "-q");
    for (const dir of ["packages/a/src", "packages/b c/src", "tools"])
      await mkdir(join(top, dir), { recursive: true });
    await using nvim = await startNeovim({ program, cwd: top, config: { roots: [] } });
    expect(await rootOf(nvim, join(top, "packages/a/src"))).toBe(top);
    await symlink(top, `${top}.link`);
    onTestFinished(() => rm(`${top}.link`));
    await nvim.lua("vim.g.codex_chat = { roots = { ... } }", `${top}.link/packages/*`);
    expect(await rootOf(nvim, join(top, "packages/a/src"))).toBe(join(top, "packages/a"));
    expect(await rootOf(nvim, join(top, "tools"))).toBe(top);
    // From the top, a file of the package belongs to the package.
    const ofFile = async (path: string) => {
      await nvim.command(`edit ${path}`);
      return nvim.lua("return require('codex-chat.project').of_buf().root");
    };
    expect(await ofFile("packages/a/src/x.lua")).toBe(join(top, "packages/a"));
    expect(await ofFile("tools/x.lua")).toBe(top);

    await nvim.lua("vim.g.codex_chat = {}");
    expect(await ofFile("packages/a/src/x.lua")).toBe(top);
    expect(await nvim.lua("return vim.fn.getcompletion('CodexChat open pack', 'cmdline')")).toEqual(
      ["packages/"],
    );
    await nvim.command("CodexChat open packages/b\\ c");
    expect(await nvim.lua("return require('codex-chat').status().root")).toBe(
      join(top, "packages/b c"),
    );
    await nvim.command("wincmd p");
    expect(await ofFile("packages/b\\ c/src/x.lua")).toBe(join(top, "packages/b c"));
    await expect(nvim.command("CodexChat open packages/c")).rejects.toThrow(
      "Make it first: mkdir -p packages/c",
    );
    await expect(nvim.command("CodexChat open /etc")).rejects.toThrow(
      "it is a directory of the system",
    );
    expect(
      await nvim.lua("return ({ require('codex-chat.config').resolve(...) })[2]", { roots: ["a"] }),
    ).toEqual(['`roots[1]` must begin with / or ~, not "a"']);
  });

  it("is the directory that Neovim was started in if that was deleted, and the host says so", async () => {
    const dir = join(await fresh(), "work");
    await mkdir(dir);
    await using chat = await openChat({ program, cwd: dir, env: { PWD: dir } });
    await rm(dir, { recursive: true });
    const { nvim } = chat;
    await nvim.command("stopinsert | wincmd p | CodexChat new");
    expect((await chat.host.heard("chat/open", 2)).root).toBe(dir);
    const judged = await judgeProject(dir, { state_dir: "/nowhere" }, { HOME: nvim.home });
    expect(judged).toMatchObject({
      error: { message: expect.stringContaining("the directory no longer exists") },
    });
  });

  it("has its state under the SHA-256 of its root, of any length", async () => {
    await using nvim = await startNeovim({ program });
    const texts = Array.from({ length: 200 }, (_, n) => "/päth/".repeat(50).slice(0, n));
    const hashes = await nvim.lua(
      "return vim.tbl_map(require('codex-chat.project.hash').sha256, ...)",
      texts,
    );
    expect(hashes).toEqual(texts.map((text) => createHash("sha256").update(text).digest("hex")));
  });
});
