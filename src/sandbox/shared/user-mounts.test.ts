import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { prepareUserMounts, type UserMount } from "./user-mounts.ts";

let base: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-mounts-")));
  for (const dir of [
    "project/sub",
    "project/.git",
    "codex-home",
    "home/lib/.git",
    "state",
    "agent",
  ])
    await mkdir(join(base, dir), { recursive: true });
  await writeFile(join(base, "home/lib/.envrc"), "");
  await writeFile(join(base, "home/file"), "");
});
afterEach(() => rm(base, { recursive: true, force: true }));

const at = (...names: string[]) => join(base, ...names);
const prepare = (...wanted: UserMount[]) =>
  prepareUserMounts(wanted, {
    root: at("project"),
    codexHome: at("codex-home"),
    home: at("home"),
    outOfReach: [at("state"), at("agent/socket")],
  });

describe("prepareUserMounts", () => {
  it("mounts read-only in the same place, or in another", async () => {
    await symlink(at("home/lib"), at("link"));
    const { mounts, notes } = await prepare(
      { source: at("home/lib/") },
      { source: at("link"), target: "/opt/lib" },
      { source: at("home/file"), target: at("home/elsewhere") },
      { source: at("project/sub") },
    );
    expect(mounts).toEqual([
      { source: at("home/lib"), target: at("home/lib"), readOnly: true },
      { source: at("home/lib"), target: "/opt/lib", readOnly: true },
      { source: at("home/file"), target: at("home/elsewhere"), readOnly: true },
      { source: at("project/sub"), target: at("project/sub"), readOnly: true },
    ]);
    expect(notes).toEqual([]);
  });

  it("reports a writable mount, and keeps programs in it that the host runs read-only", async () => {
    const { mounts, notes } = await prepare({ source: at("home/lib"), write: true });
    expect(mounts).toEqual([
      { source: at("home/lib"), target: at("home/lib"), readOnly: false },
      { source: at("home/lib/.git"), target: at("home/lib/.git"), readOnly: true },
      { source: at("home/lib/.envrc"), target: at("home/lib/.envrc"), readOnly: true },
    ]);
    expect(notes).toEqual([`sandbox.mounts: the agent can write in ${at("home/lib")}.`]);
  });

  it.each([
    ["a bare repository", "repo.git", "it is a git directory"],
    ["the hooks of one", "repo.git/hooks", `it lies in the git directory`],
    ["a file of one", "repo.git/config", `it lies in the git directory`],
    ["the hooks of a project", "whole/.git/hooks", `it lies in the git directory`],
    ["a directory whose .git is a link", "linked", "is a link, and the agent could point it"],
  ])(
    "refuses to let the agent write in %s, and mounts it read-only",
    async (_what, name, reason) => {
      const git = (...args: readonly string[]) =>
        execa("git", args, { cwd: at("home"), env: { GIT_TEMPLATE_DIR: undefined } });
      await git("init", "-q", "--bare", "repo.git");
      await git("init", "-q", "whole");
      for (const dir of ["repo.git", "whole/.git"])
        await mkdir(at("home", dir, "hooks"), { recursive: true });
      await mkdir(at("home/linked"));
      await symlink(at("home/whole/.git"), at("home/linked/.git"));
      const source = at("home", name);
      const { mounts, notes } = await prepare({ source, write: true });
      expect(mounts).toEqual([]);
      expect(notes).toEqual([expect.stringContaining(reason)]);
      expect(notes[0]).toContain("without `write`");
      expect((await prepare({ source })).mounts).toHaveLength(1);
    },
  );

  it("reports names that are links, and protects those of each work tree", async () => {
    const lib = at("home/lib");
    await rm(at("home/lib/.git"), { recursive: true });
    for (const cwd of [lib, join(lib, "inner")])
      await execa("git", ["init", "-q", cwd], { cwd: lib });
    await writeFile(join(lib, "inner/.envrc"), "");
    await mkdir(join(lib, "tools"));
    await writeFile(join(lib, "tools/hook"), "");
    await symlink("tools", join(lib, ".husky"));
    await symlink("tools", join(lib, "by-link"));
    await execa("git", ["config", "core.hooksPath", "by-link/hook"], { cwd: lib });
    const { mounts, notes } = await prepare({ source: lib, write: true });
    const readOnly = mounts.filter((mount) => mount.readOnly).map((mount) => mount.target);
    expect(readOnly).toContain(join(lib, ".git"));
    expect(readOnly).toContain(join(lib, "inner/.envrc"));
    expect(notes.slice(1)).toContain(
      `sandbox.mounts: in ${lib}, .husky is a link or is reached by one: it cannot be made read-only, and the agent can replace it.`,
    );
    // The link that git goes by cannot be protected; the file behind it is.
    expect(notes.join()).toContain("by-link");
    expect(readOnly).toContain(join(lib, "tools/hook"));
  });

  it.each<[string, string, string | undefined, string]>([
    ["everything", "/", undefined, "a directory of the system"],
    ["a directory of the system", "/etc", undefined, "a directory of the system"],
    ["the kernel's files", "/proc/self", "/opt/x", "the sandbox has its own files"],
    ["the home directory", "home", undefined, "every secret"],
    ["a directory above the home", ".", undefined, "every secret"],
    ["the state", "state", undefined, "out of the agent's reach"],
    ["a directory with an agent's socket", "agent", undefined, "out of the agent's reach"],
    ["a socket", "home/a.sock", undefined, "neither a file nor a directory"],
    ["a missing path", "absent", undefined, "ENOENT"],
    ["a link in the project that leads out", "project/out", undefined, "a link in the project"],
    ["a link in the project that stays", "project/in", undefined, "a link in the project"],
    ["a directory of the project in another place", "project/sub", "/opt/sub", "at its own place"],
    ["a target that covers the project", "home/lib", ".", "would cover the project"],
    ["a target that is the project", "home/lib", "project", "would cover the project"],
    ["a target in .git", "home/lib", "project/.git/hooks", "is protected"],
    ["a target that the project lacks", "home/lib", "project/new", "create one first"],
    ["a target behind a link", "home/lib", "project/in", "create one first"],
    ["a target of the system", "home/lib", "/usr", "sandbox's system"],
    [
      "a target among the sandbox's programs",
      "home/lib",
      "/opt/codex/bin",
      "the sandbox has its own files",
    ],
    ["a relative target", "home/lib", "./x", "not an absolute path"],
    ["Codex's own files", "home/lib", "codex-home/skills", "Codex's own files"],
  ])("leaves out with a note: %s", async (_title, source, target, reason) => {
    await symlink(at("home/lib"), at("project/out"));
    await symlink(at("project/sub"), at("project/in"));
    const server = createServer().listen(at("home/a.sock"));
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const path = (name: string) => (name.startsWith("/") || name === "./x" ? name : at(name));
    const { mounts, notes } = await prepare({
      source: path(source),
      ...(target === undefined ? {} : { target: path(target) }),
    });
    expect(mounts).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(reason)]);
  });

  it("refuses a writable mount of the project's parts, and a target that is used twice", async () => {
    const { mounts, notes } = await prepare(
      { source: at("project/sub"), write: true },
      { source: at("home/lib"), target: "/opt/x" },
      { source: at("home/file"), target: "/opt/x" },
    );
    expect(mounts).toHaveLength(1);
    expect(notes.join("\n")).toMatch(/at its own place.*\n.*already has the target/);
  });
});
