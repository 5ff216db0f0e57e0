import { execFileSync } from "node:child_process";
import {
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepareSharedFiles, type SharedFile } from "./shared-files.ts";

let base: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-given-")));
  for (const dir of ["project/skills", "codex-home", "home/skills/one", "state"])
    await mkdir(join(base, dir), { recursive: true });
  await writeFile(join(base, "home", "AGENTS.md"), "Be brief.\n");
});
afterEach(() => rm(base, { recursive: true, force: true }));

const at = (...names: string[]) => join(base, ...names);
const prepare = (...given: SharedFile[]) =>
  prepareSharedFiles(given, {
    root: at("project"),
    codexHome: at("codex-home"),
    home: at("home"),
    outOfReach: [at("state")],
    writable: [at("shared")],
  });
const led = "an agent can change that link";
const agents = () => ({ source: at("home", "AGENTS.md"), codexHomeName: "AGENTS.md" });

describe("a file that the user shares for reading", () => {
  it("is mounted read-only in CODEX_HOME, or in its own place if it is a directory", async () => {
    expect(await prepare(agents(), { source: at("home", "skills") })).toEqual({
      mounts: [
        {
          source: at("home", "AGENTS.md"),
          target: at("codex-home", "AGENTS.md"),
          readOnly: true,
        },
        { source: at("home", "skills"), target: at("home", "skills"), readOnly: true },
      ],
      readable: [at("home", "skills")],
      notes: [],
    });
    expect(await readFile(at("codex-home", "AGENTS.md"), "utf8")).toBe("");
  });

  it("is found behind links, mounted once, and not mounted if it is in the project", async () => {
    await symlink(at("home", "skills"), at("link"));
    const twice = [{ source: at("link") }, { source: at("home", "skills") }];
    const { mounts, readable } = await prepare(...twice, { source: at("project", "skills") });
    expect(mounts.map((mount) => mount.target)).toEqual([at("home", "skills")]);
    expect(readable).toEqual([at("home", "skills"), at("home", "skills"), at("project", "skills")]);
  });

  it.each<[string, () => SharedFile, string]>([
    ["a missing path", () => ({ source: at("nothing") }), "it cannot be read (ENOENT)"],
    ["a relative path", () => ({ source: "skills" }), "it is not an absolute path"],
    ["a file for a directory", () => ({ source: at("home", "AGENTS.md") }), "not a directory"],
    ["a directory for a file", () => ({ ...agents(), source: at("home") }), "not a file"],
    ["the home directory", () => ({ source: at("home") }), "holds the home directory"],
    ["a directory above the home", () => ({ source: base }), "holds the home directory"],
    ["the state", () => ({ source: at("state") }), "must stay out of the agent's reach"],
    ["everything", () => ({ source: "/" }), "directory of the system"],
    ["the system", () => ({ source: "/etc" }), "directory of the system"],
    ["the kernel's files", () => ({ source: "/proc/self" }), "the sandbox has its own files"],
  ])("is left out with a note if it is %s", async (_, given, note) => {
    const { mounts, readable, notes } = await prepare(given(), { source: at("home", "skills") });
    expect(mounts.map((mount) => mount.target)).toEqual([at("home", "skills")]);
    expect(readable).toEqual([at("home", "skills")]);
    expect(notes).toEqual([expect.stringContaining(note)]);
  });

  it.each([
    [
      "that is a link in the project",
      async () => {
        await symlink(at("home", "skills"), at("project", "link"));
        return at("project", "link");
      },
    ],
    [
      "below a link in the project",
      async () => {
        await symlink(at("home"), at("project", "link"));
        return at("project", "link", "skills");
      },
    ],
    [
      "that the user's link reaches through a link in the project",
      async () => {
        await symlink(at("home", "skills"), at("project", "link"));
        await symlink(at("project", "link"), at("mine"));
        return at("mine");
      },
    ],
    [
      "behind a link in a directory that the agent can write",
      async () => {
        await mkdir(at("shared"));
        await symlink(at("home", "skills"), at("shared", "link"));
        return at("shared", "link");
      },
    ],
  ])("is left out if it is a directory %s", async (_, make) => {
    const source = await make();
    const { mounts, readable, notes } = await prepare({ source });
    expect([...mounts, ...readable]).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(led)]);
  });

  it("is left out if it is a file behind a link in the project", async () => {
    await symlink(at("home", "AGENTS.md"), at("project", "AGENTS.md"));
    const { mounts, notes } = await prepare({ ...agents(), source: at("project", "AGENTS.md") });
    expect(mounts).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(led)]);
  });

  it("is shared if it is behind a link that stays in the project", async () => {
    await symlink("skills", at("project", "link"));
    const { readable, notes } = await prepare({ source: at("project", "link") });
    expect([readable, notes]).toEqual([[at("project", "skills")], []]);
  });

  it.each<[string, (path: string) => Promise<unknown>]>([
    ["a link", (path) => symlink(at("victim"), path)],
    ["a directory", (path) => mkdir(path)],
    ["a pipe", async (path) => execFileSync("mkfifo", [path])],
  ])("is left out if the agent has put %s in its place", async (_, put) => {
    await put(at("codex-home", "AGENTS.md"));
    const { mounts, notes } = await prepare(agents());
    expect(mounts).toEqual([]);
    expect(notes).toEqual([expect.stringContaining("is not a file")]);
    await expect(lstat(at("victim"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
