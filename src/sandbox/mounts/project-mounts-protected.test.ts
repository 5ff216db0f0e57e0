import { chmod, link, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, expect, it, vi } from "vitest";
import {
  git,
  inspect,
  refusal,
  scratch,
  withoutConfiguration,
} from "../../../test/support/projects.ts";
import { keepProtected, noteMade, readGuardRecord } from "../guard/guard-record.ts";
import { inspectProject, type ProjectMountsOptions } from "./project-mounts.ts";

withoutConfiguration();

describe("a project whose git directory is not simply .git", () => {
  /** The names that are read-only, and the project with them. */
  async function readOnly(root: string, more: Partial<ProjectMountsOptions> = {}) {
    const project = await inspect(root, more);
    const names = project.mounts
      .filter((mount) => mount.readOnly)
      .map((mount) => relative(root, mount.target));
    return { ...project, names: names.sort() };
  }

  it("has a bare directory beside its worktrees read-only, and everything obeyed in them", async () => {
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
    expect(guarded.find((file) => file.name === "main")).toMatchObject({ isParentDir: true });
    expect(notes).toEqual([expect.stringContaining("core.hookspath leads to .githooks")]);
  });

  it("has a separate git directory read-only", async () => {
    const root = await scratch();
    await git(root, "init", "-q", "--separate-git-dir", join(root, ".gitdata"));
    expect(await readOnly(root)).toMatchObject({ names: [".git", ".gitdata"], notes: [] });
  });

  it("has nested repositories read-only, and the programs that they make git run", async () => {
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

  it("is refused if it is bare itself", async () => {
    const root = await scratch();
    await git(root, "init", "-q", "--bare");
    expect(await refusal(root)).toContain("a bare repository");
  });

  it("gets a note on a pointer to a place where the agent could make a git directory", async () => {
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
    expect(guarded.map((file) => file.name)).toContain("hooks");
  });

  it("has the user's own git configuration read-only if it is kept there", async () => {
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
    expect(guarded.map((file) => file.name)).toEqual(["gitconfig", "hooks", "git"]);
  });

  it("has files named by the environment's settings read-only", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    await writeFile(join(root, "pager.sh"), "");
    vi.stubEnv("GIT_CONFIG_COUNT", "1");
    vi.stubEnv("GIT_CONFIG_KEY_0", "core.pager");
    vi.stubEnv("GIT_CONFIG_VALUE_0", "./pager.sh");
    const { guarded } = await inspect(root);
    expect(guarded.map((file) => file.name)).toEqual([".git", "pager.sh"]);
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
    expect((await inspect(root)).guarded.map((file) => file.name)).toEqual([".git", "key.sh"]);
  });

  it("has no file read-only just because it is named like a branch or a word of git", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    for (const name of ["main", "log"]) await writeFile(join(root, name), "");
    await git(root, "config", "init.defaultBranch", "main");
    await git(root, "config", "alias.l", "log main");
    await writeFile(join(root, "hooks"), "");
    await git(root, "config", "alias.h", "-c core.hooksPath=hooks commit");
    expect((await inspect(root)).guarded.map((file) => file.name)).toEqual([".git", "hooks"]);
  });

  it("is refused if git cannot read them", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    await git(root, "config", "include.path", "../team.gitconfig");
    await writeFile(join(root, "team.gitconfig"), "[broken");
    expect(await refusal(root)).toContain("bad config line");
  });
});

describe("a project with programs that the host runs", () => {
  it("has the plugin's and Node's directories read-only", async () => {
    const root = await scratch();
    for (const dir of ["nvim/plug", "node/bin"]) await mkdir(join(root, dir), { recursive: true });
    const neverWritable = [join(root, "nvim/plug"), join(root, "node/bin"), "/usr/bin"];
    const { guarded } = await inspect(root, { neverWritable });
    expect(
      guarded.map(({ name, isParentDir }) => `${name}${isParentDir === true ? " (parent)" : ""}`),
    ).toEqual(["node (parent)", "nvim (parent)", "nvim/plug", "node/bin"]);
  });

  it.each(["", "lua"])(
    "is read-only as a whole if it belongs to the plugin (%j)",
    async (below) => {
      const root = await scratch();
      await mkdir(join(root, "lua"));
      const project = await inspect(join(root, below), { neverWritable: [root] });
      expect(project.mounts[0]).toMatchObject({ readOnly: true });
      expect(project.notes).toEqual([expect.stringContaining("all of it is read-only")]);
    },
  );

  it("has the files read-only that its .envrc runs, in each work tree", async () => {
    const root = await scratch();
    await mkdir(join(root, "sub/tools"), { recursive: true });
    await git(join(root, "sub"), "init", "-q");
    await writeFile(join(root, "sub/.envrc"), "source_env tools/env.sh\nuse flake\n");
    await writeFile(join(root, "sub/tools/env.sh"), "");
    const { guarded, notes } = await inspect(root);
    const names = guarded.filter((file) => !file.isParentDir).map((file) => file.name);
    expect(names).toEqual(["sub/.envrc", "sub/.git", "sub/tools/env.sh"]);
    expect(notes).toContainEqual(expect.stringContaining("sub/.envrc runs sub/flake.nix"));
  });

  it("is writable in a directory of the plugin that nothing is run from", async () => {
    const root = await scratch();
    await mkdir(join(root, ".cache/try"), { recursive: true });
    const { mounts, notes } = await inspect(join(root, ".cache/try"), { neverWritable: [root] });
    expect(mounts[0]).toMatchObject({ readOnly: false });
    expect(notes).toEqual([]);
  });

  it("gets a note on a protected file that has another name", async () => {
    const root = await scratch();
    await writeFile(join(root, ".envrc"), "");
    await link(join(root, ".envrc"), join(root, "notes.txt"));
    expect((await inspect(root)).notes).toEqual([expect.stringContaining("has another name")]);
  });
});

describe("a project that an agent has worked in", () => {
  it("keeps every protection, even if something was made unreadable or closed", async () => {
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
        else expect(later.error.fix).toContain("chmod u+rwx");
      }
  });

  it("is refused if its git directory is gone", async () => {
    const root = await scratch();
    await git(root, "init", "-q");
    const { record } = await inspect(root);
    await rm(join(root, ".git"), { recursive: true });
    expect(await refusal(root, { before: record })).toContain(".git was a directory");
  });

  it("has the original repositories read-only, and not the agent's own", async () => {
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
    expect(guarded.map((file) => file.name)).toEqual(["mine", "mine/.git"]);
    expect(record.protected).toEqual([{ name: "mine/.git", kind: "directory" }]);
    // Another one by that name is the user's: an agent cannot reserve it.
    await rm(join(root, "its/.git"), { recursive: true });
    await git(join(root, "its"), "init", "-q");
    expect((await inspect(root, { before })).guarded).toHaveLength(4);
  });
});
