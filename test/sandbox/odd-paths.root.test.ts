import { mkdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished } from "vitest";
import { itAsRoot } from "../support/root.ts";
import { sandboxOn } from "./shared.ts";
import { git, own, SLOW, scratchDir, sh, USER } from "./support.ts";

describe("a sandbox", SLOW, () => {
  itAsRoot("works on a repository on another mount", async () => {
    const root = await scratchDir("mount");
    const { uid, gid } = USER;
    await execa("mount", ["-t", "tmpfs", "-o", `uid=${uid},gid=${gid},size=1m`, "tmpfs", root]);
    onTestFinished(async () => void (await execa("umount", ["-l", root])));
    await git(root, "init", "-q");
    const below = join(root, "below");
    await mkdir(below);
    await own(below);
    const sandbox = await sandboxOn(below);
    await sh(sandbox, "echo made > made");
    expect(await readFile(join(below, "made"), "utf8")).toBe("made\n");
    const outer = await sandboxOn(root);
    expect((await sh(outer, "cat below/made")).stdout).toBe("made\n");
    // What is on another mount in the project is there, too.
    const around = await sandboxOn(dirname(root));
    expect((await sh(around, "cat mount/below/made")).stdout).toBe("made\n");
    await rename(join(below, "made"), join(below, "moved"));
    expect((await sh(around, "ls mount/below")).stdout).toBe("moved\n");
  });
});
