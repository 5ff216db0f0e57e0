import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { addedGitlinks } from "./added-gitlinks.ts";
import { ScratchRepository } from "./repository/scratch-repository.ts";

/** A repository with these commits, one after the other, each of these gitlinks and nothing else. */
async function commits(...all: readonly (readonly string[])[]) {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-embedded-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const git = async (...args: readonly string[]) =>
    (await execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: base }))
      .stdout;
  await git("init", "-q");
  const oids: string[] = [];
  for (const [n, paths] of all.entries()) {
    await git("read-tree", "--empty");
    for (const path of paths)
      await git(
        "update-index",
        "--add",
        "--cacheinfo",
        `160000,${String(n + 1).repeat(40)},${path}`,
      );
    await git("commit", "-q", "--allow-empty", "-m", "x");
    oids.push(await git("rev-parse", "HEAD"));
  }
  const objects = join(base, ".git/objects");
  const scratch = await ScratchRepository.make({
    parent: join(base, "state"),
    objects,
    format: "sha1",
  });
  return { scratch, oids };
}

describe("repositories that commits add to the project", () => {
  it("are those that the user's commit lacks, with any names", async () => {
    const { scratch, oids } = await commits(["mine"], ["mine", "dir/new", ":line\nbreak"]);
    const [head, tip = ""] = oids;
    const found = await addedGitlinks(scratch, { tip, head, known: [head ?? ""] });
    expect(found.isWhole).toBe(true);
    expect([...found.paths].sort()).toEqual([":line\nbreak", "dir/new"]);
  });

  it("are also reported if only an intermediate commit has them", async () => {
    const { scratch, oids } = await commits([], ["passing"], []);
    const [head, , tip = ""] = oids;
    const found = await addedGitlinks(scratch, { tip, head, known: [head ?? ""] });
    expect(found).toEqual({ paths: ["passing"], isWhole: true });
  });

  it("are reported again if the user has not taken earlier ones", async () => {
    const { scratch, oids } = await commits([], ["came"], ["came"]);
    const [head, before = "", tip = ""] = oids;
    const found = await addedGitlinks(scratch, { tip, head, known: [before] });
    expect(found).toEqual({ paths: ["came"], isWhole: true });
  });

  it("are found in a repository without a commit by the user", async () => {
    const { scratch, oids } = await commits(["first"]);
    const found = await addedGitlinks(scratch, { tip: oids[0] ?? "", head: undefined, known: [] });
    expect(found).toEqual({ paths: ["first"], isWhole: true });
  });
});
