import {
  appendFile,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { inspectRepository } from "./repository.ts";

async function git(cwd: string, ...args: readonly string[]): Promise<void> {
  const fixed = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"];
  await execa("git", [...fixed, ...args], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
}

/** A directory with a repository `first` of two commits. */
async function place(): Promise<string> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-git-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  await git(base, "init", "-q", "first");
  for (const message of ["one", "two"])
    await git(join(base, "first"), "commit", "-q", "--allow-empty", "-m", message);
  await git(join(base, "first"), "config", "uploadpack.allowFilter", "true");
  return base;
}

async function inspect(root: string, readable: readonly string[] = []) {
  const gitDir = join(root, ".git");
  const env = { PATH: process.env["PATH"], HOME: root };
  return inspectRepository({ root, gitDir, commonDir: gitDir, readable, env });
}

describe("a repository", () => {
  it("may use SHA-256, and be shallow", async () => {
    const base = await place();
    await git(base, "init", "-q", "--object-format=sha256", "new");
    expect(await inspect(join(base, "new"))).toMatchObject({
      ok: true,
      value: { format: "sha256" },
    });
    await git(base, "clone", "-q", "--depth=1", `file://${base}/first`, "shallow");
    const shallow = await inspect(join(base, "shallow"));
    expect(shallow).toMatchObject({
      ok: true,
      value: { shallow: expect.stringMatching(/^\w{40}\n/) },
    });
  });

  it("is refused with the reason if its kind is unknown, or if it needs the network", async () => {
    const base = await place();
    await git(base, "clone", "-q", "--filter=blob:none", `file://${base}/first`, "partial");
    expect(await inspect(join(base, "partial"))).toMatchObject({
      error: expect.stringContaining("partial clone"),
    });
    for (const [extension, reason] of [
      ["refStorage=reftable", "stores its branches in the format reftable"],
      ["somethingNew=true", "extension somethingnew"],
    ] as const) {
      await git(base, "init", "-q", extension);
      const [key = "", value = ""] = extension.split("=");
      const config = join(base, extension, ".git/config");
      await appendFile(config, `[extensions]\n\t${key} = ${value}\n`);
      // Git of this version may refuse to read it at all.
      const { ok, ...rest } = await inspect(join(base, extension));
      expect(ok).toBe(false);
      expect(JSON.stringify(rest)).toMatch(new RegExp(`${reason}|cannot be read`));
    }
  });

  it("is refused if git is not found, with the directory that hides it", async () => {
    const base = await place();
    const gitDir = join(base, "first/.git");
    const loop = join(base, "loop");
    await symlink(loop, loop);
    const where = { root: join(base, "first"), gitDir, commonDir: gitDir, readable: [] };
    expect(await inspectRepository({ ...where, env: { PATH: loop } })).toEqual({
      ok: false,
      error: `git cannot be run on this machine: there is no such program on the PATH, as far as can be seen: ${loop} cannot be accessed (ELOOP)`,
    });
  });

  it("borrows objects only from where the agent may read", async () => {
    const base = await place();
    await git(base, "clone", "-q", "--shared", "first", "second");
    await git(base, "clone", "-q", "--shared", "second", "third");
    const third = join(base, "third");
    expect(await inspect(third)).toMatchObject({
      ok: false,
      error: expect.stringContaining(`sandbox.mounts`),
    });
    expect(await inspect(third, [join(base, "second")])).toMatchObject({ ok: false });
    expect(await inspect(third, [join(base, "second"), join(base, "first/.git")])).toMatchObject({
      ok: true,
      value: {
        objects: ["third", "second", "first"].map((name) => join(base, name, ".git/objects")),
      },
    });
  });

  it.each(["objects", "objects/pack", "refs"])("is refused if %s is a link", async (name) => {
    const base = await place();
    const path = join(base, "first/.git", name);
    await rename(path, join(base, "elsewhere"));
    await symlink(join(base, "elsewhere"), path);
    expect(await inspect(join(base, "first"))).toMatchObject({
      ok: false,
      error: `${name} in its git directory is not a directory`,
    });
  });

  it.each(["objects/ab", "objects/pack/pack-1.pack", `objects/cd/${"e".repeat(38)}`])(
    "is refused if %s is a link through which git would read another repository's objects",
    async (name) => {
      const base = await place();
      const path = join(base, "first/.git", name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(join(base, "elsewhere"), path);
      expect(await inspect(join(base, "first"))).toMatchObject({
        ok: false,
        error: expect.stringContaining(`${name} is a link`),
      });
    },
  );

  it("is refused without a command that would copy another repository's objects into it", async () => {
    const base = await place();
    const root = join(base, "it's mine");
    await git(base, "init", "-q", root);
    const other = join(base, "first/.git");
    // The agent needs no link, only the name of a commit.
    const { stdout: commit } = await execa("git", ["rev-parse", "HEAD"], { cwd: other });
    await writeFile(join(root, ".git/objects/info/alternates"), `${other}/objects\n`);
    await writeFile(join(root, ".git/HEAD"), `${commit}\n`);
    const inspected = await inspect(root);
    expect(inspected).toMatchObject({
      ok: false,
      error: expect.stringContaining(
        `If you did not set that up, the agent may have: see what is in it and remove '${base}/it'\\''s mine/.git'.`,
      ),
    });
    expect(JSON.stringify(inspected)).not.toContain("repack");
    // What the command would have done.
    await git(root, "repack", "-q", "-a", "-d");
    await rm(join(root, ".git/objects/info/alternates"));
    const { stdout } = await execa("git", ["cat-file", "-t", commit], { cwd: root });
    expect(stdout).toBe("commit");
  });

  it.each(["HEAD", "packed-refs", "refs/heads/deep/stolen"])(
    "is refused if %s is a link through which git would read another repository's branches",
    async (name) => {
      const base = await place();
      const path = join(base, "first/.git", name);
      await rm(path, { force: true });
      await mkdir(dirname(path), { recursive: true });
      await symlink(join(base, "elsewhere"), path);
      expect(await inspect(join(base, "first"))).toMatchObject({
        ok: false,
        error: `${path} is a link, by which git would read another repository's branches`,
      });
    },
  );

  it.each(["objects/info/alternates", "shallow"])(
    "is refused if %s is too large, is not a plain file, or leads nowhere",
    async (name) => {
      const base = await place();
      const root = join(base, "first");
      const path = join(root, ".git", name);
      const comments = `# ${"x".repeat(1020)}\n`.repeat(1100);
      await writeFile(path, `${comments}${base}/elsewhere/objects\n`);
      const size = name === "shallow" ? "1 MiB" : "64 KiB";
      expect(await inspect(root)).toEqual({
        ok: false,
        error: `${path} is larger than ${size}; look at it: \`ls -ld ${path}\``,
      });
      await rm(path);
      await execa("mkfifo", [path]);
      expect(await inspect(root)).toMatchObject({
        ok: false,
        error: expect.stringContaining(`${path} is not a plain file`),
      });
      await rm(path);
      await symlink(path, path);
      expect((await inspect(root)).ok).toBe(false);
      await rm(path);
      expect((await inspect(root)).ok).toBe(true);
    },
  );

  it.each([
    ["in the project, which the agent can write", "other/.git/objects"],
    ["by a quoted path, as git reads it", '"/elsewhere/objects"'],
  ])("is refused if it borrows objects from %s", async (_where, line) => {
    const base = await place();
    const root = join(base, "first");
    await git(root, "init", "-q", "other");
    const path = line.startsWith('"') ? line : join(root, line);
    await writeFile(join(root, ".git/objects/info/alternates"), `${path}\n`);
    expect(await inspect(root)).toMatchObject({ error: expect.stringContaining("it borrows") });
  });

  it("is refused if refs/codex is a link, since the host would write through it", async () => {
    const base = await place();
    await mkdir(join(base, "victim"));
    await symlink(join(base, "victim"), join(base, "first/.git/refs/codex"));
    expect((await inspect(join(base, "first"))).ok).toBe(false);
  });
});
