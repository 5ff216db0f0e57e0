import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { keepProtected, noteMade, readGuardRecord } from "./guard-record.ts";
import { inspectProject, type ProjectOptions } from "./project.ts";

async function scratch(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex chat prøject-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function inspect(root: string, more: Partial<ProjectOptions> = {}) {
  const result = await inspectProject({ root, home: "/home/someone", outOfReach: [], ...more });
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

async function refusal(root: string, more: Partial<ProjectOptions> = {}): Promise<string> {
  const result = await inspectProject({ root, home: "/home/someone", outOfReach: [], ...more });
  if (result.ok) throw new Error(`accepted ${root}`);
  expect(result.error.kind).toBe("project_refused");
  return result.error.message;
}

/** Nothing of this machine's own configuration. */
beforeEach(() => {
  vi.stubEnv("HOME", "/nonexistent");
  vi.stubEnv("XDG_CONFIG_HOME", "");
  vi.stubEnv("GIT_CONFIG_SYSTEM", "/dev/null");
  for (const name of ["EDITOR", "VISUAL", "PAGER"]) vi.stubEnv(name, undefined);
});

async function git(cwd: string, ...args: string[]): Promise<void> {
  const identity = [
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@t",
    "-c",
    "protocol.file.allow=always",
  ];
  await execa("git", [...identity, ...args], { cwd });
}

describe("inspectProject", () => {
  it("mounts the project writable and what the host runs read-only", async () => {
    const root = await scratch();
    await mkdir(join(root, ".git"));
    await mkdir(join(root, ".vscode"));
    await writeFile(join(root, ".envrc"), "");
    await writeFile(join(root, "main.ts"), "");
    const project = await inspect(root);
    expect(project.mounts).toEqual([
      { source: root, target: root, readOnly: false },
      ...[".git", ".envrc", ".vscode"].map((name) => ({
        source: join(root, name),
        target: join(root, name),
        readOnly: true,
      })),
    ]);
    expect(project.guarded.map((it) => it.name)).toEqual([".git", ".envrc", ".vscode"]);
    expect(project.notes).toEqual([]);
  });

  it("resolves links in the project's own path", async () => {
    const dir = await scratch();
    await mkdir(join(dir, "real"));
    await symlink(join(dir, "real"), join(dir, "link"));
    expect((await inspect(join(dir, "link"))).root).toBe(join(dir, "real"));
  });

  it.each([
    ["/", "the whole file system"],
    ["/usr", "a directory of the system"],
    ["/tmp", "a directory of the system"],
    ["/proc/self", "belongs to the sandbox's own system"],
    ["relative/path", "not an absolute path"],
    ["/no/such/dir", "cannot be read"],
    ["/etc/passwd", "not a directory"],
  ])("refuses %s", async (root, reason) => {
    expect(await refusal(root)).toContain(reason);
  });

  it("refuses the home directory, also by another name, and what contains it", async () => {
    const dir = await scratch();
    const home = join(dir, "home/al");
    await mkdir(home, { recursive: true });
    await symlink(home, join(dir, "alias"));
    expect(await refusal(home, { home })).toContain("the home directory");
    expect(await refusal(join(dir, "alias"), { home })).toContain("the home directory");
    expect(await refusal(home, { home: join(dir, "alias") })).toContain("the home directory");
    expect(await refusal(join(dir, "home"), { home })).toContain("contains the home directory");
  });

  it("refuses a project that contains the plugin's state, or lies in it", async () => {
    const dir = await scratch();
    const state = join(dir, "state/codex-chat/projects/x");
    expect(await refusal(dir, { outOfReach: [state] })).toContain("must not reach");
    await mkdir(join(state, "inner"), { recursive: true });
    expect(await refusal(join(state, "inner"), { outOfReach: [state] })).toContain("lies within");
  });

  it("refuses a .git that is a symbolic link", async () => {
    const root = await scratch();
    await mkdir(join(root, "elsewhere"));
    await symlink("elsewhere", join(root, ".git"));
    expect(await refusal(root)).toContain(".git is a symbolic link");
  });

  it("mounts nothing at another protected name that is a symbolic link, and says so", async () => {
    const root = await scratch();
    await symlink("/etc", join(root, ".vscode"));
    const project = await inspect(root);
    expect(project.mounts).toHaveLength(1);
    expect(project.notes).toEqual([
      ".vscode is a symbolic link: it cannot be made read-only and the agent can replace it.",
    ]);
  });

  it("mounts the common git directory of a worktree at its own path", async () => {
    const dir = await scratch();
    const main = join(dir, "main repo");
    await mkdir(main);
    await git(main, "init", "-q");
    await git(main, "commit", "-q", "--allow-empty", "-m", "first");
    await git(main, "worktree", "add", "-q", join(dir, "träe"));
    const project = await inspect(join(dir, "träe"));
    expect(project.mounts.slice(1)).toEqual([
      { source: join(dir, "träe/.git"), target: join(dir, "träe/.git"), readOnly: true },
      { source: join(main, ".git"), target: join(main, ".git"), readOnly: true },
    ]);
  });

  it("mounts the git directory of a submodule", async () => {
    const dir = await scratch();
    for (const name of ["lib", "app"]) {
      await mkdir(join(dir, name));
      await git(join(dir, name), "init", "-q");
      await git(join(dir, name), "commit", "-q", "--allow-empty", "-m", "first");
    }
    await git(join(dir, "app"), "submodule", "--quiet", "add", join(dir, "lib"), "vendor");
    const project = await inspect(join(dir, "app/vendor"));
    const target = join(dir, "app/.git/modules/vendor");
    expect(project.mounts.at(-1)).toEqual({ source: target, target, readOnly: true });
  });

  it("mounts no directory that an agent's own .git file points to", async () => {
    const dir = await scratch();
    const secret = join(dir, "secret");
    await mkdir(secret);
    await git(secret, "init", "-q");
    const root = join(dir, "project");
    await mkdir(root);
    // It points back, and says that the rest of it is the other repository.
    const own = join(root, "own");
    await mkdir(own);
    await writeFile(join(own, "gitdir"), `${join(root, ".git")}\n`);
    await writeFile(join(own, "commondir"), `${join(secret, ".git")}\n`);
    for (const target of [own, join(secret, ".git"), dir, "/etc", "/root/.ssh"]) {
      await writeFile(join(root, ".git"), `gitdir: ${target}\n`);
      const project = await inspect(root);
      expect(project.mounts.map((it) => it.target)).toEqual([root, join(root, ".git")]);
      expect(project.notes.join()).toMatch(/does not point back|is not a git directory/);
    }
    expect(await readFile(join(root, ".git"), "utf8")).toContain("/root/.ssh");
  });
});

describe("a project whose git directory is not simply .git", () => {
  /** The names that are read-only, and the project with them. */
  async function readOnly(root: string, more: Partial<ProjectOptions> = {}) {
    const project = await inspect(root, more);
    const names = project.mounts.filter((it) => it.readOnly).map((it) => relative(root, it.target));
    return { ...project, names: names.sort() };
  }

  it("has a bare directory beside its worktrees read-only, and all that is obeyed in them", async () => {
    const [root, other] = [await scratch(), await scratch()];
    await git(other, "init", "-q");
    await git(other, "commit", "-q", "--allow-empty", "-m", "first");
    await git(root, "clone", "-q", "--bare", other, ".bare");
    await writeFile(join(root, ".git"), "gitdir: ./.bare\n");
    await git(root, "worktree", "add", "-q", "-b", "main-tree", "main");
    await mkdir(join(root, "main/.githooks"));
    await git(root, "config", "core.hooksPath", ".githooks");
    const { names, guarded, notes } = await readOnly(root);
    expect(names).toEqual([".bare", ".git", "main/.git", "main/.githooks"]);
    expect(guarded.find((it) => it.name === "main")).toMatchObject({ frame: true });
    expect(notes).toEqual([expect.stringContaining("core.hookspath leads to .githooks")]);
  });

  it("has a separate git directory read-only", async () => {
    const root = await scratch();
    await git(root, "init", "-q", "--separate-git-dir", join(root, ".gitdata"));
    expect(await readOnly(root)).toMatchObject({ names: [".git", ".gitdata"], notes: [] });
  });

  it("has the repositories in it read-only, and what they have git run", async () => {
    const root = await scratch();
    for (const name of ["one", "sub/two"]) {
      await mkdir(join(root, name), { recursive: true });
      await git(join(root, name), "init", "-q");
    }
    await writeFile(join(root, "one/fsmonitor.sh"), "");
    await writeFile(join(root, "sub/two/.envrc"), "");
    await writeFile(join(root, "sub/.envrc"), "");
    await git(join(root, "one"), "config", "core.fsmonitor", "./fsmonitor.sh");
    expect((await readOnly(root)).names).toEqual([
      "one/.git",
      "one/fsmonitor.sh",
      "sub/two/.envrc",
      "sub/two/.git",
    ]);
  });

  it("is refused where it is bare itself", async () => {
    const root = await scratch();
    await git(root, "init", "-q", "--bare");
    expect(await refusal(root)).toContain("a bare repository");
  });

  it("is told of a pointer to where the agent could make a git directory", async () => {
    const root = await scratch();
    await writeFile(join(root, ".git"), "gitdir: ./later\n");
    const { names, notes } = await readOnly(root);
    expect(names).toEqual([".git"]);
    expect(notes).toContainEqual(expect.stringContaining(".git leads to later"));
  });
});

describe("a project that git's settings name", () => {
  it.each(["~/proj/hooks", "$TOP/hooks"])("has the hooks of %s read-only", async (value) => {
    const home = await scratch();
    const root = join(home, "proj");
    await mkdir(join(root, "hooks"), { recursive: true });
    await writeFile(join(root, "hooks/pre-commit"), "");
    await git(root, "init", "-q");
    await git(root, "config", "core.hooksPath", value.replace("$TOP", root));
    vi.stubEnv("HOME", home);
    const { guarded } = await inspect(root);
    expect(guarded.map((it) => it.name)).toContain("hooks");
  });

  it("has the user's own git configuration read-only where it is kept there", async () => {
    const home = await scratch();
    const root = join(home, "dotfiles");
    await mkdir(join(root, "git"), { recursive: true });
    await mkdir(join(root, "hooks"));
    await writeFile(join(root, "gitconfig"), "[core]\n\thooksPath = ~/.githooks\n");
    await writeFile(join(root, "git/attributes"), "");
    await symlink("dotfiles/gitconfig", join(home, ".gitconfig"));
    await symlink("dotfiles/hooks", join(home, ".githooks"));
    vi.stubEnv("HOME", home);
    vi.stubEnv("XDG_CONFIG_HOME", root);
    const { guarded } = await inspect(root);
    expect(guarded.map((it) => it.name)).toEqual(["gitconfig", "hooks", "git"]);
  });

  it("has what the environment's settings name read-only", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    await writeFile(join(root, "pager.sh"), "");
    vi.stubEnv("GIT_CONFIG_COUNT", "1");
    vi.stubEnv("GIT_CONFIG_KEY_0", "core.pager");
    vi.stubEnv("GIT_CONFIG_VALUE_0", "./pager.sh");
    const { guarded } = await inspect(root);
    expect(guarded.map((it) => it.name)).toEqual([".git", "pager.sh"]);
  });

  it.each([
    ["gpg.ssh.defaultKeyCommand", "./key.sh"],
    ["gc.recentObjectsHook", "./key.sh"],
    ["sendemail.sendmailCmd", "./key.sh --now"],
    ["remote.origin.url", "ext::sh ./key.sh"],
    ["guitool.x.cmd", "sh key.sh"],
    ["some.future.key", "key.sh"],
    ["blame.ignoreRevsFile", "key.sh"],
  ])("has the file of %s read-only", async (key, value) => {
    const root = await scratch();
    await git(root, "init", "-q");
    await writeFile(join(root, "key.sh"), "");
    await git(root, "config", key, value);
    expect((await inspect(root)).guarded.map((it) => it.name)).toEqual([".git", "key.sh"]);
  });

  it("has no file read-only for having a name like a branch or a word of git's", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    for (const name of ["main", "log"]) await writeFile(join(root, name), "");
    await git(root, "config", "init.defaultBranch", "main");
    await git(root, "config", "alias.l", "log main");
    await writeFile(join(root, "hooks"), "");
    await git(root, "config", "alias.h", "-c core.hooksPath=hooks commit");
    expect((await inspect(root)).guarded.map((it) => it.name)).toEqual([".git", "hooks"]);
  });

  it("is refused where git cannot read them", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    await git(root, "config", "include.path", "../team.gitconfig");
    await writeFile(join(root, "team.gitconfig"), "[broken");
    expect(await refusal(root)).toContain("bad config line");
  });
});

describe("a project with what the host runs in it", () => {
  it("has the plugin's and Node's directories read-only", async () => {
    const root = await scratch();
    for (const dir of ["nvim/plug", "node/bin"]) await mkdir(join(root, dir), { recursive: true });
    const neverWritable = [join(root, "nvim/plug"), join(root, "node/bin"), "/usr/bin"];
    const { guarded } = await inspect(root, { neverWritable });
    expect(guarded.map(({ name, frame }) => `${name}${frame === true ? " (frame)" : ""}`)).toEqual([
      "node (frame)",
      "nvim (frame)",
      "nvim/plug",
      "node/bin",
    ]);
  });

  it.each(["", "lua"])("is read-only as a whole where it is the plugin's (%j)", async (below) => {
    const root = await scratch();
    await mkdir(join(root, "lua"));
    const project = await inspect(join(root, below), { neverWritable: [root] });
    expect(project.mounts[0]).toMatchObject({ readOnly: true });
    expect(project.notes).toEqual([expect.stringContaining("all of it is read-only")]);
  });

  it("is told of a protected file that has another name", async () => {
    const root = await scratch();
    await writeFile(join(root, ".envrc"), "");
    await link(join(root, ".envrc"), join(root, "notes.txt"));
    expect((await inspect(root)).notes).toEqual([expect.stringContaining("has another name")]);
  });
});

describe("a project that an agent has worked in", () => {
  it("keeps every protection, whatever was made unreadable or closed", async () => {
    const root = await scratch();
    await mkdir(join(root, "tools"), { recursive: true });
    await writeFile(join(root, "tools/textconv"), "");
    await git(root, "init", "-q");
    await git(root, "config", "diff.bin.textconv", "tools/textconv");
    const first = await inspect(root);
    for (const dir of [root, join(root, "tools")])
      for (const mode of [0o000, 0o111, 0o444, 0o666]) {
        await chmod(dir, mode);
        const later = await inspectProject({
          root,
          home: "/home/someone",
          outOfReach: [],
          before: first.record,
        });
        await chmod(dir, 0o755);
        // As root nothing is closed; as anybody else it is a refusal, or all is still there.
        if (later.ok) expect(later.value.mounts).toEqual(first.mounts);
        else expect(later.error.mend).toContain("chmod u+rwx");
      }
  });

  it("is refused where its git directory is gone", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    const { record } = await inspect(root);
    await rm(join(root, ".git"), { recursive: true });
    expect(await refusal(root, { before: record })).toContain(".git was a directory");
  });

  it("has the repositories read-only that were there at first, and not the agent's own", async () => {
    const root = await scratch();
    for (const name of ["mine", "its"]) {
      await mkdir(join(root, name));
      await git(join(root, name), "init", "-q");
    }
    const state = await scratch();
    await keepProtected(state, { protected: [], made: [] });
    await noteMade(state, root, ["its/.git"]);
    const read = await readGuardRecord(state);
    const before = read.ok ? read.value : undefined;
    const { guarded, record } = await inspect(root, { before });
    expect(guarded.map((it) => it.name)).toEqual(["mine", "mine/.git"]);
    expect(record.protected).toEqual([{ name: "mine/.git", kind: "directory" }]);
    // Another one by that name is the user's: an agent cannot reserve it.
    await rm(join(root, "its/.git"), { recursive: true });
    await git(join(root, "its"), "init", "-q");
    expect((await inspect(root, { before })).guarded).toHaveLength(4);
  });
});
