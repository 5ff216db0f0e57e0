import { link, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { findGitDirs, type WalkOptions } from "./git-dirs.ts";

let root = "";

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-dirs-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
});

async function init(path: string, ...args: readonly string[]): Promise<void> {
  await mkdir(join(root, path), { recursive: true });
  await execa("git", ["init", "-q", ...args], { cwd: join(root, path) });
}

async function found(options: WalkOptions = {}) {
  const result = await findGitDirs(root, options);
  if (!result.ok) throw new Error(result.error.reason);
  return result.value;
}

describe("the git directories in a project", () => {
  it("include nested, bare, separate and unusually named repositories, and `.git` files", async () => {
    await init("vendor/inner");
    await init("a b/ünïcode");
    await init("deep/er/store.git", "--bare");
    await init("tree", "--separate-git-dir", join(root, ".gitdata"));
    await init(".");
    expect((await found()).found).toEqual([
      { name: ".gitdata", usedIn: ".gitdata" },
      { name: "a b/ünïcode/.git", usedIn: "a b/ünïcode" },
      { name: "deep/er/store.git", usedIn: "deep/er/store.git" },
      { name: "tree/.git", usedIn: "tree" },
      { name: "vendor/inner/.git", usedIn: "vendor/inner" },
    ]);
  });

  it("leave out those that an agent may have made", async () => {
    await init("mine");
    await init("its");
    expect((await found({ isIgnored: async (name) => name === "its/.git" })).found).toEqual([
      { name: "mine/.git", usedIn: "mine" },
    ]);
  });

  it("are not searched for behind links or in other git directories", async () => {
    await init("one");
    await symlink(join(root, "one"), join(root, "linked"));
    await init("one/.git/inner");
    expect((await found()).found.map((dir) => dir.name)).toEqual(["one/.git"]);
  });

  it("are reported if a `.git` is a link, which cannot be made read-only", async () => {
    await init("one");
    await mkdir(join(root, "two"));
    await symlink("../one/.git", join(root, "two/.git"));
    expect((await found()).notes).toEqual([expect.stringContaining("two/.git is a symbolic link")]);
  });

  it("are found even if the project looks like one, as are those of other tools", async () => {
    for (const name of ["HEAD", "commondir"]) await writeFile(join(root, name), "");
    await init("inner");
    await mkdir(join(root, "deep/.hg"), { recursive: true });
    expect((await found()).found).toEqual([
      { name: "deep/.hg", usedIn: undefined },
      { name: "inner/.git", usedIn: "inner" },
    ]);
  });

  it("are reported if their path is not UTF-8", async () => {
    const dir = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x2f])]);
    await mkdir(dir);
    await mkdir(Buffer.concat([dir, Buffer.from(".git")]));
    expect(await findGitDirs(root)).toMatchObject({
      ok: false,
      error: { reason: expect.stringContaining("not valid UTF-8") },
    });
  });

  it("are reported as incomplete if the search exceeds its limits", async () => {
    for (let n = 0; n < 20; n++) await writeFile(join(root, `file-${n}`), "");
    expect(await findGitDirs(root, { bounds: { entries: 10 } })).toMatchObject({
      ok: false,
      error: { reason: expect.stringContaining("more than 10 files") },
    });
  });

  it("are listed with installed packages that share files with a store", async () => {
    for (const dir of ["services/api/.venv/lib", "apart/node_modules/x", "store"])
      await mkdir(join(root, dir), { recursive: true });
    await writeFile(join(root, "store/a.py"), "");
    await link(join(root, "store/a.py"), join(root, "services/api/.venv/lib/a.py"));
    await writeFile(join(root, "apart/node_modules/x/index.js"), "");
    expect((await found()).hardLinked).toEqual(["services/api/.venv"]);
  });

  it("are listed with virtual environments of any name", async () => {
    for (const dir of [
      "env/bin",
      "a/b/my py/bin",
      ".tox/py311/bin",
      "conda/conda-meta",
      "conda/bin",
    ])
      await mkdir(join(root, dir), { recursive: true });
    await mkdir(join(root, "sample"));
    for (const dir of ["env", "a/b/my py", ".tox/py311", "sample", "."])
      await writeFile(join(root, dir, "pyvenv.cfg"), "");
    expect((await found()).environments).toEqual([".tox/py311", "a/b/my py", "conda", "env"]);
  });
});
