import { renameSync, writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fileIdentity, guardedParent, type MountGuard, watchGuarded } from "./mount-guard.ts";

/** Watches a directory and a file; `isMounted` answers in the sandbox's place. */
async function guarded(isMounted = async () => true): Promise<{ root: string; guard: MountGuard }> {
  const root = await mkdtemp(join(tmpdir(), "codex-chat-guard-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, ".git"));
  await writeFile(join(root, ".envrc"), "old");
  const guard = await watchGuarded(root, await identities(root), isMounted);
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
      "a directory that is created again",
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

  it("notices a file that was replaced before it began to watch", async () => {
    const { root } = await guarded();
    const before = await identities(root);
    await rm(join(root, ".envrc"));
    await writeFile(join(root, ".envrc"), "new");
    const late = await watchGuarded(root, before, async () => true);
    onTestFinished(() => late.close());
    expect(await late.lost).toBe(".envrc");
  });

  it.each<[string, (root: string) => Promise<void>]>([
    ["is renamed", (root) => rename(root, `${root}-new`)],
    ["is removed", (root) => rm(root, { recursive: true })],
    [
      "is replaced",
      async (root) => {
        await rename(root, `${root}-new`);
        await mkdir(root);
      },
    ],
  ])("notices that the project's directory %s", async (_name, change) => {
    const root = await mkdtemp(join(tmpdir(), "codex-chat-guard-"));
    onTestFinished(async () => {
      for (const dir of [root, `${root}-new`]) await rm(dir, { recursive: true, force: true });
    });
    const guard = await watchGuarded(root, [await guardedParent(root, ".")], async () => true);
    onTestFinished(() => guard.close());
    await chmod(root, 0o755);
    await change(root);
    expect(await guard.lost).toBe(".");
  });

  it("stays quiet while protected files are written in place and others come and go", async () => {
    const { root, guard } = await guarded();
    let lost: string | undefined;
    void guard.lost.then((name) => {
      lost = name;
    });
    await writeFile(join(root, ".envrc"), "written in place");
    await utimes(join(root, ".envrc"), 1, 1);
    await chmod(join(root, ".envrc"), 0o600);
    await utimes(join(root, ".git"), 1, 1);
    await chmod(join(root, ".git"), 0o700);
    await writeFile(join(root, ".git/index"), "x");
    await writeFile(join(root, "main.ts"), "x");
    await rm(join(root, "main.ts"));
    // An event that must arrive proves that those before it have arrived.
    await writeFile(join(root, ".envrc2"), "");
    await rename(join(root, ".git"), join(root, ".gone"));
    await guard.lost;
    expect(lost).toBe(".git");
  });

  it("checks the mount if a directory's attributes or name were changed", async () => {
    const { root, guard } = await guarded(async () => false);
    await rename(join(root, ".git"), join(root, ".git2"));
    await rename(join(root, ".git2"), join(root, ".git"));
    expect(await guard.lost).toBe(".git");
  });

  it("notices a replacement that overflowed the kernel's queue", async () => {
    const { root, guard } = await guarded();
    const most = Number(await readFile("/proc/sys/fs/inotify/max_queued_events", "utf8"));
    // At once, so that no event is taken out of the queue meanwhile.
    for (let n = 0; n <= most; n++) writeFileSync(join(root, `flood-${n % 2}`), "");
    renameSync(join(root, ".envrc"), join(root, ".gone"));
    writeFileSync(join(root, ".envrc"), "new");
    expect(await guard.lost).toBe(".envrc");
  });
});
