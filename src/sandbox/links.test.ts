import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { followLinks, linkedFrom } from "./links.ts";

let base = "";
let root = "";
const isInside = (path: string) => path.startsWith(`${root}/`);

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-links-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  root = join(base, "project");
  await mkdir(join(root, "scripts"), { recursive: true });
  await writeFile(join(root, "scripts/hook"), "");
});

describe("a path that is followed link by link", () => {
  it("leads to its target, and names the project's links on the way", async () => {
    await symlink("scripts", join(root, "linked"));
    await symlink(join(root, "linked/hook"), join(base, "outside"));
    expect(await followLinks(join(base, "outside"), isInside)).toEqual({
      links: [join(root, "linked")],
      end: join(root, "scripts/hook"),
    });
  });

  it("names a link of the project even if it leads outside", async () => {
    await symlink(base, join(root, "out"));
    const way = await followLinks(join(root, "out"), isInside);
    expect(way).toEqual({ links: [join(root, "out")], end: base });
  });

  it.each([["nowhere"], ["loop"]])("has no target if it leads to %s", async (name) => {
    await symlink("loop", join(root, "loop"));
    await symlink("absent", join(root, "nowhere"));
    expect((await followLinks(join(root, name), isInside)).end).toBeUndefined();
  });

  it("is found for links at any depth of a directory", async () => {
    await mkdir(join(base, "hooks/deep"), { recursive: true });
    await symlink(join(root, "scripts/hook"), join(base, "hooks/deep/pre-commit"));
    expect(await linkedFrom(root, join(base, "hooks"), isInside)).toEqual({
      ends: ["scripts/hook"],
      links: [],
    });
  });
});
