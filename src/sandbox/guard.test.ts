import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fileIdentity, type Guard, watchGuarded } from "./guard.ts";

async function guarded(): Promise<{ root: string; guard: Guard }> {
  const root = await mkdtemp(join(tmpdir(), "codex-chat-guard-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, ".git"));
  await writeFile(join(root, ".envrc"), "old");
  const guard = await watchGuarded(root, await identities(root));
  onTestFinished(() => guard.close());
  return { root, guard };
}

async function identities(root: string) {
  const names = [".git", ".envrc"];
  return Promise.all(
    names.map(async (name) => ({ name, identity: (await fileIdentity(join(root, name))) ?? "" })),
  );
}

describe("watchGuarded", () => {
  it.each<[string, (root: string) => Promise<void>, string]>([
    [
      "an editor that saves by renaming",
      async (root) => {
        await writeFile(join(root, ".envrc~"), "new");
        await rename(join(root, ".envrc~"), join(root, ".envrc"));
      },
      ".envrc",
    ],
    ["a removed file", (root) => rm(join(root, ".envrc")), ".envrc"],
    [
      "a directory made anew",
      async (root) => {
        await rename(join(root, ".git"), join(root, ".git2"));
        await mkdir(join(root, ".git"));
      },
      ".git",
    ],
  ])("notices %s", async (_name, replace, lost) => {
    const { root, guard } = await guarded();
    await replace(root);
    expect(await guard.lost).toBe(lost);
  });

  it("notices what was replaced before it began to watch", async () => {
    const { root } = await guarded();
    const before = await identities(root);
    await rm(join(root, ".envrc"));
    await writeFile(join(root, ".envrc"), "new");
    const late = await watchGuarded(root, before);
    onTestFinished(() => late.close());
    expect(await late.lost).toBe(".envrc");
  });

  it("stays quiet while protected files are written in place and others come and go", async () => {
    const { root, guard } = await guarded();
    let lost: string | undefined;
    void guard.lost.then((name) => {
      lost = name;
    });
    await writeFile(join(root, ".envrc"), "written in place");
    await utimes(join(root, ".envrc"), 1, 1);
    await writeFile(join(root, ".git/index"), "x");
    await writeFile(join(root, "main.ts"), "x");
    await rm(join(root, "main.ts"));
    // An event that must arrive proves that those before it have arrived.
    await writeFile(join(root, ".envrc2"), "");
    await rename(join(root, ".git"), join(root, ".gone"));
    await guard.lost;
    expect(lost).toBe(".git");
  });
});
