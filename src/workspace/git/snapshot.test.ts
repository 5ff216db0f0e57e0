import { mkdtemp, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { inspectRepository, type Repository } from "./repository/repository.ts";
import { readIndex, snapshotRepository } from "./snapshot.ts";

let gitDir: string;
let repository: Repository;
beforeEach(async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-snapshot-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  gitDir = join(root, ".git");
  await execa("git", ["init", "-q"], { cwd: root });
  await writeFile(join(root, "file"), "");
  await execa("git", ["add", "file"], { cwd: root });
  const env = { PATH: process.env["PATH"], HOME: root };
  const inspected = await inspectRepository({ root, gitDir, commonDir: gitDir, readable: [], env });
  if (!inspected.ok) throw new Error(inspected.error);
  repository = inspected.value;
});

const index = () => readIndex(repository, join(gitDir, "../scratch"));

describe("the index", () => {
  it("counts as absent only if there is none, and otherwise is refused with the reason", async () => {
    const path = join(gitDir, "index");
    const read = await index();
    expect(read.ok && read.value.get("index")?.subarray(0, 4).toString()).toBe("DIRC");
    await truncate(path, 128 * 1024 ** 2 + 1);
    await expect(index()).rejects.toThrow(`${path} is larger than 128 MiB`);
    await rm(path);
    const none = await index();
    expect(none.ok && none.value.get("index")).toBe(undefined);
    await execa("mkfifo", [path]);
    await expect(index()).rejects.toThrow(`${path} is not a plain file`);
    await rm(path);
    await symlink(path, path);
    await expect(index()).rejects.toThrow(`${path} is not a plain file`);
  });
});

describe("a snapshot", () => {
  const take = () => snapshotRepository(repository, { gitDir, objects: [] }, {});

  it("refuses a list of checked out files that it cannot read", async () => {
    const path = join(gitDir, "info/sparse-checkout");
    await writeFile(path, "/*\n");
    expect((await take()).files.get("info/sparse-checkout")).toBe("/*\n");
    await writeFile(path, "x".repeat(1024 ** 2 + 1));
    await expect(take()).rejects.toThrow(`${path} is larger than 1 MiB`);
  });

  it("contains nothing of a linked exclude file, which may lead to a secret", async () => {
    const path = join(gitDir, "info/exclude");
    await rm(path, { force: true });
    await writeFile(join(gitDir, "../secret"), "TOPSECRET");
    await symlink(join(gitDir, "../secret"), path);
    expect((await take()).files.get("info/exclude")).toBe(undefined);
  });
});
