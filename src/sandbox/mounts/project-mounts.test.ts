import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  git,
  inspect,
  refusal,
  scratch,
  withoutConfiguration,
} from "../../../test/support/projects.ts";

withoutConfiguration();

describe("inspectProject", () => {
  it("mounts the project writable, and programs that the host runs read-only", async () => {
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
    expect(project.guarded.map((file) => file.name)).toEqual([".git", ".envrc", ".vscode"]);
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
    ["/no/such/dir", "no longer exists"],
    ["/etc/passwd", "not a directory"],
  ])("refuses %s", async (root, reason) => {
    expect(await refusal(root)).toContain(reason);
  });

  it("refuses the home directory, also by another name, and the directories above it", async () => {
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

  it("mounts nothing at any other protected name that is a symbolic link, and reports it", async () => {
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
      expect(project.mounts.map((mount) => mount.target)).toEqual([root, join(root, ".git")]);
      expect(project.notes.join()).toMatch(/does not point back|is not a git directory/);
    }
    expect(await readFile(join(root, ".git"), "utf8")).toContain("/root/.ssh");
  });
});
