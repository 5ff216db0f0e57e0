import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ourVolumes, pruneCaches, removeCaches } from "../../src/sandbox/caches/volumes.ts";
import { LABELS } from "../../src/sandbox/container/labels.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox-plan.ts";
import { engine, image, sandboxOn } from "./shared.ts";
import { open, options, own, repository, SLOW, scratchDir, sh, USER } from "./support.ts";

async function withCaches(root: string, dirs: readonly string[] = ["node_modules", "target"]) {
  const how = await options(image, root, { caches: { tools: true, dirs } });
  onTestFinished(async () => void (await removeCaches(engine, how)));
  return how;
}

/** A project on whose host `npm install` has run. */
async function installed(): Promise<string> {
  const root = await repository("app");
  await writeFile(join(root, "package.json"), "{}");
  await install(root, "1");
  return root;
}

/** A project with an empty directory deep in it. */
async function nested(path: string): Promise<string> {
  const root = await repository("app");
  await mkdir(join(root, path), { recursive: true });
  const parts = path.split("/");
  await own(...parts.map((_, n) => join(root, ...parts.slice(0, n + 1))));
  return root;
}

async function install(root: string, version: string): Promise<void> {
  const modules = join(root, "node_modules");
  const files = {
    "lib/index.js": `module.exports = "lib ${version}";`,
    ".package-lock.json": JSON.stringify({ version }),
  };
  const isNew = (await mkdir(join(modules, "lib"), { recursive: true })) !== undefined;
  for (const [name, text] of Object.entries(files)) await writeFile(join(modules, name), text);
  await own(
    ...(isNew ? [modules] : []),
    join(modules, "lib"),
    ...Object.keys(files).map((file) => join(modules, file)),
  );
}

const volumesOf = async ({ stateDir }: SandboxOptions) =>
  (await ourVolumes(engine)).filter((volume) => volume.labels[LABELS.state] === stateDir);

const ATTACK = `echo 'evil' > node_modules/lib/index.js; mkdir -p node_modules/.bin; echo evil > node_modules/.bin/eslint
mv node_modules gone; rm -rf node_modules; mkdir -p node_modules; echo evil > node_modules/new`;

describe("a project's caches", SLOW, () => {
  it("stay separate from the host's, even if a directory above is renamed", async () => {
    const attack = `for it in services services/api; do mv $it gone; mkdir -p $it/node_modules; done
      mkdir -p services/api/node_modules; echo evil > services/api/node_modules/index.js`;
    const modules = "services/api/node_modules";
    const [guarded, unguarded] = await Promise.all([nested(modules), nested(modules)]);
    await sh(await open(engine, await withCaches(guarded, [modules])), attack);
    expect(await readdir(join(guarded, modules))).toEqual([]);
    // The control: without a volume there, the host's own directory is changed.
    await sh(await sandboxOn(unguarded), attack);
    expect(await readdir(join(unguarded, modules))).toEqual(["index.js"]);
  });

  it("start with the host's packages, and keep what is installed inside away from the host", async () => {
    const root = await installed();
    await symlink("lib", join(root, "node_modules/link"));
    const how = await withCaches(root);
    const first = await open(engine, how);
    expect(first.notes).toEqual([]);
    const { stdout } = await sh(first, "node -p 'require(\"link\")'; stat -c %u:%g node_modules .");
    expect(stdout).toBe(`lib 1\n${USER.uid}:${USER.gid}\n${USER.uid}:${USER.gid}\n`);

    await sh(first, ATTACK);
    expect((await sh(first, "cat node_modules/new")).stdout).toBe("evil\n");
    const before = [".package-lock.json", "lib", "link"];
    expect((await readdir(join(root, "node_modules"))).sort()).toEqual(before);
    expect(await readFile(join(root, "node_modules/lib/index.js"), "utf8")).toContain("lib 1");
    await sh(
      first,
      "mkdir -p ~/.cache/npm && echo fetched > ~/.cache/npm/x && npm config get cache",
    );
    await first.release();

    const second = await open(engine, how);
    expect((await sh(second, "cat node_modules/new ~/.cache/npm/x")).stdout).toBe(
      "evil\nfetched\n",
    );
    // The host installs others: what is inside begins anew with these.
    await install(root, "2");
    expect((await sh(second, "cat node_modules/new")).stdout).toBe("evil\n");
    await second.release();
    const third = await open(engine, how);
    expect(
      (await sh(third, "node -p 'require(\"lib\")'; cat node_modules/new ~/.cache/npm/x")).stdout,
    ).toBe("lib 2\nfetched\n");
    // What is removed on the host would be the agent's to make, where the host runs it.
    await rm(join(root, "node_modules"), { recursive: true });
    expect(await third.died).toEqual({ reason: "protection_lost", name: "node_modules" });
  });

  it("leave the host's packages writable by the agent if they are off (the control)", async () => {
    const root = await installed();
    const sandbox = await sandboxOn(root);
    await sh(sandbox, ATTACK);
    expect(await readFile(join(root, "node_modules/new"), "utf8")).toBe("evil\n");
    expect(existsSync(join(root, "node_modules/lib"))).toBe(false);
  });

  it("are empty if nothing is installed, and are never mounted over a symlink", async () => {
    const root = await repository("app");
    const elsewhere = await scratchDir("elsewhere");
    await writeFile(join(root, "package.json"), "{}");
    await writeFile(join(root, "Cargo.toml"), "");
    await symlink(elsewhere, join(root, "target"));
    const how = await withCaches(root, ["node_modules", "target", "dist", "../out", ".git/x"]);
    const sandbox = await open(engine, how);
    expect(sandbox.notes).toEqual([
      expect.stringContaining("target is not kept apart from the host's: it is a link"),
      expect.stringContaining("../out is not kept apart"),
      expect.stringContaining(".git/x is not kept apart"),
    ]);
    expect((await sh(sandbox, "echo x > node_modules/x; ls node_modules; ls target/")).stdout).toBe(
      "x\n",
    );
    expect(await lstat(join(root, "node_modules"))).toMatchObject(USER);
    expect(await readdir(join(root, "node_modules"))).toEqual([]);
    expect(existsSync(join(root, "dist"))).toBe(false);
    expect((await volumesOf(how)).map((volume) => volume.labels[LABELS.cache]).sort()).toEqual([
      "node_modules",
      "tools",
    ]);
  });

  it("are removed on request and when their state is gone, but not while in use", async () => {
    const how = await withCaches(await repository("app"));
    const sandbox = await open(engine, how);
    expect(await volumesOf(how)).toHaveLength(1);
    expect(await removeCaches(engine, how)).toEqual([]);
    await sandbox.release();
    expect(await pruneCaches(engine)).not.toContain((await volumesOf(how))[0]?.name);
    expect(await removeCaches(engine, how)).toHaveLength(1);
    expect(await volumesOf(how)).toEqual([]);

    const left = await open(engine, how);
    await left.release();
    await rm(how.stateDir, { recursive: true });
    const [orphan] = await volumesOf(how);
    expect(await pruneCaches(engine)).toContain(orphan?.name);
    expect(await volumesOf(how)).toEqual([]);
  });

  it("are not removed if they belong to another user, or to another machine whose state is not here", async () => {
    const how = await withCaches(await repository("app"));
    const sandbox = await open(engine, how);
    await sandbox.release();
    const [mine] = await volumesOf(how);
    const gone: Record<string, string> = { ...mine?.labels, [LABELS.state]: "/not/here" };
    const make = async (name: string, labels: Record<string, string>) => {
      await engine.docker.createVolume({ Name: name, Labels: { ...gone, ...labels } });
      onTestFinished(() =>
        engine.docker
          .getVolume(name)
          .remove()
          .catch(() => {}),
      );
      return name;
    };
    const id = mine?.name ?? "codex-chat-x";
    const theirs = await make(`${id}-theirs`, { [LABELS.uid]: "4242" });
    const [boot, namespace] = (gone[LABELS.scope] ?? "").split("/");
    const far = await make(`${id}-far`, { [LABELS.scope]: `${boot}/${namespace}/0123456789ab` });
    // The control: this one is removed.
    const own = await make(`${id}-own`, {});
    const removed = await pruneCaches(engine);
    expect(removed).toContain(own);
    expect(removed).not.toContain(theirs);
    expect(removed).not.toContain(far);
  });

  it("include virtual environments of any name, which can be filled without a network", async () => {
    const made = async () => {
      const root = await repository("app");
      for (const env of ["env", "packages/my a/venv"]) {
        await mkdir(join(root, env, "bin"), { recursive: true });
        for (const file of ["pyvenv.cfg", "bin/activate"])
          await writeFile(join(root, env, file), "mine");
        await own(join(root, env), join(root, env, "bin"), join(root, env, "bin/activate"));
      }
      return root;
    };
    const [guarded, unguarded] = await Promise.all([made(), made()]);
    const attack = "echo evil > env/bin/activate; mkdir -p env/bin && echo evil > env/bin/activate";
    const sandbox = await open(engine, await withCaches(guarded, [".venv"]));
    expect(sandbox.notes).toEqual([
      expect.stringMatching(/^env is empty in the sandbox.*`python3 -m venv env`/),
      expect.stringMatching(/^packages.my a.venv is empty.*`python3 -m venv 'packages.my a.venv'`/),
    ]);
    // As the notes say.
    const { stdout, stderr } = await sh(
      sandbox,
      "ls -A env; python3 -m venv env && env/bin/python -m pip --version && python3 -m venv 'packages/my a/venv'",
    );
    expect([stderr, stdout]).toEqual(["", expect.stringMatching(/^pip [^\n]*\/env\/lib\/python/)]);
    await sh(sandbox, attack);
    expect(await readFile(join(guarded, "env/bin/activate"), "utf8")).toBe("mine");
    // The control: without a volume there, the host's own is changed.
    await sh(await open(engine, await withCaches(unguarded, ["node_modules"])), attack);
    expect(await readFile(join(unguarded, "env/bin/activate"), "utf8")).toBe("evil\n");
  });
});
