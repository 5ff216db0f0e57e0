import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { engine, image, sandboxOn } from "./shared.ts";
import {
  exists,
  git,
  must,
  open,
  options,
  otherHost,
  own,
  refused,
  repository,
  SLOW,
  scratchDir,
  sh,
  USER,
} from "./support.ts";

describe("openSandbox", SLOW, () => {
  it.each([
    "with space",
    "ünïcødé-日本",
    "colon:ro",
    "quote'\"$HOME`id`",
    "comma,readonly",
    "line\nbreak\ttab\\back",
  ])("mounts a project named %s at its own path", async (name) => {
    const root = await repository(name);
    const sandbox = await sandboxOn(root);
    const { stdout } = await sh(sandbox, 'pwd; echo hello > "a b"; git status --short');
    expect(stdout).toBe(`${root}\n?? "a b"\n`);
    expect(await readFile(join(root, "a b"), "utf8")).toBe("hello\n");
    expect((await sh(sandbox, "echo x > .git/config")).exitCode).not.toBe(0);
  });

  it("lets git work in a worktree, but write to neither git directory", async () => {
    const main = await repository("main");
    const tree = join(dirname(main), "tree");
    await own(dirname(main));
    await git(main, "worktree", "add", "-q", tree);
    const sandbox = await sandboxOn(tree);
    const log = await sh(
      sandbox,
      "git log --oneline | wc -l; git status --porcelain; git branch --show-current",
    );
    expect(log).toMatchObject({ stdout: "1\ntree\n", stderr: "", exitCode: 0 });
    const attack = await sh(
      sandbox,
      'echo "gitdir: /tmp" > .git; rm -f .git; mv .git x; echo x > "$1/.git/config"; ls "$1"',
      main,
    );
    expect(attack.stdout).toBe("");
    expect(await git(tree, "status", "--porcelain")).toBe("");
  });

  it("works without git", async () => {
    const root = await scratchDir("plain");
    const sandbox = await sandboxOn(root);
    expect(sandbox.protectedNames).toEqual([]);
    expect((await sh(sandbox, "echo 1 > x; ls")).stdout).toBe("x\n");
  });

  it("notes a protected name that is a symlink, and mounts nothing of its target", async () => {
    const root = await repository();
    const secret = await scratchDir("secret");
    await writeFile(join(secret, "key"), "k");
    await symlink(secret, join(root, ".vscode"));
    const sandbox = await sandboxOn(root);
    expect(sandbox.notes.join()).toContain(".vscode is a symbolic link");
    expect((await sh(sandbox, "cat .vscode/key")).exitCode).toBe(1);
  });

  it.each([
    ["the root directory", "/"],
    ["the home directory", homedir()],
  ])("refuses %s and starts nothing", async (_name, root) => {
    const how = await options(image, root, { home: homedir() });
    expect(refused(await openSandbox(engine, how)).kind).toBe("project_refused");
  });

  it("refuses a project that contains its own state directory", async () => {
    const root = await repository();
    const how = await options(image, root, { stateDir: join(root, "state") });
    const error = refused(await openSandbox(engine, how));
    expect(error.kind).toBe("project_refused");
    expect(error.message).toContain("must not reach");
  });

  it("reports that the image is gone", async () => {
    const gone = { id: `sha256:${"0".repeat(64)}`, tag: "codex-chat:gone" };
    const error = refused(await openSandbox(engine, await options(gone, await repository())));
    expect(error).toMatchObject({ kind: "image_missing", image: "codex-chat:gone" });
  });

  it("reports that the runtime is unknown, and leaves no lease behind", async () => {
    const how = await options(image, await repository(), { runtime: "no-such-runtime" });
    expect(refused(await openSandbox(engine, how)).kind).toBe("no_runtime");
    const again = must(await openSandbox(engine, { ...how, runtime: "runsc" }));
    expect(again.joined).toBe(false);
    await again.release();
    expect(await exists(engine, again.name)).toBe(false);
  });

  it("ends the sandbox when a protected file is replaced on the host", async () => {
    const root = await repository();
    await writeFile(join(root, ".envrc"), "export A=1\n");
    await own(join(root, ".envrc"));
    const sandbox = await sandboxOn(root);
    // An attacker inside waits for the moment at which the file becomes writable.
    const attack = must(
      await sandbox.exec({ argv: ["sh", "-c", "while sleep 0.01; do echo evil > .envrc; done"] }),
    );
    attack.stdout.resume();
    attack.stderr.resume();
    await mkdir(join(root, "tmp"));
    await writeFile(join(root, "tmp/new"), "export A=2\n");
    await rename(join(root, "tmp/new"), join(root, ".envrc"));
    expect(await sandbox.died).toEqual({ reason: "protection_lost", name: ".envrc" });
    expect(await exists(engine, sandbox.id)).toBe(false);
  });

  it("reports that the real .git is writable in a container it joined", async () => {
    const root = await scratchDir("late");
    await writeFile(join(root, "package.json"), "{}");
    const caches = { tools: false, dirs: ["node_modules"] };
    const how = await options(image, root, { caches });
    await open(engine, { ...how, owner: (await otherHost()).owner });
    await git(root, "init", "-q");
    const gitDir = await scratchDir("private");
    const gitMounts = [{ source: gitDir, target: join(root, ".git"), readOnly: false }];
    const joined = await open(engine, { ...how, gitMounts });
    expect(joined).toMatchObject({ joined: true, gitReplaced: false });
    expect(joined.notes.join()).toContain(".git appeared after the sandbox was started");
  });

  it("keeps the sandbox when attributes of protected directories change, inside and outside", async () => {
    // Git looks into no repository of another user's, which this one is to root.
    for (const [at, value] of Object.entries({ COUNT: "1", KEY_0: "safe.directory", VALUE_0: "*" }))
      vi.stubEnv(`GIT_CONFIG_${at}`, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const library = await repository("library");
    const root = await repository();
    const add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"];
    await git(root, ...add, library, "libs/one");
    await mkdir(join(root, ".vscode"));
    await own(join(root, ".vscode"), join(root, "libs"));
    const sandbox = await sandboxOn(root);
    const ordinary =
      "touch . .git libs; chmod -R g+w . ; chown -R $(id -u) . ; find . -exec touch {} +";
    await sh(sandbox, `(${ordinary}) 2>/dev/null`);
    await execa("sh", ["-c", ordinary.replace("$(id -u)", `${USER.uid}`)], { cwd: root });
    // An event that must arrive proves that those before it have.
    expect((await sh(sandbox, "echo evil > libs/one/.git")).exitCode).not.toBe(0);
    expect((await sh(sandbox, "echo evil > .git/config; mv libs libs2")).exitCode).not.toBe(0);
    expect(await Promise.race([sandbox.died, pause(1500, "lives")])).toBe("lives");
    await mkdir(join(root, "new"));
    await rename(join(root, "libs"), join(root, "old"));
    await rename(join(root, "new"), join(root, "libs"));
    expect(await sandbox.died).toEqual({ reason: "protection_lost", name: "libs" });
  });

  it("does not join a container whose protected file was replaced while nothing was watching", async () => {
    const root = await repository();
    await writeFile(join(root, ".envrc"), "old");
    const how = await options(image, root);
    const first = await open(engine, how);
    await writeFile(join(root, ".envrc"), "in place");
    expect(await Promise.race([first.died, Promise.resolve("lives")])).toBe("lives");
    await rename(join(root, ".envrc"), join(root, "elsewhere"));
    await first.died;
    await writeFile(join(root, ".envrc"), "new");
    const second = await open(engine, how);
    expect(second.joined).toBe(false);
    expect((await sh(second, "echo x > .envrc")).exitCode).not.toBe(0);
  });
});
