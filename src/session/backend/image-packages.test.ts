import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Progress } from "../../log.ts";
import { fetchPackages, packagesCommand } from "./image-packages.ts";

const NPM = join(import.meta.dirname, "../../../node_modules/npm");

/** A release that needs one package, which lies beside it. */
async function release({ integrity }: { integrity?: string } = {}) {
  const base = await mkdtemp(join(tmpdir(), "codex-chat-packages-"));
  onTestFinished(() => rm(base, { recursive: true }));
  vi.stubEnv("npm_config_cache", join(base, "cache"));
  const dir = join(base, "it's here");
  await mkdir(join(dir, "dist"), { recursive: true });
  await symlink(NPM, join(dir, "dist/npm"));
  await mkdir(join(base, "package"));
  const thing = { name: "thing", version: "1.0.0", scripts: { install: "touch ../../ran" } };
  await writeFile(join(base, "package/package.json"), JSON.stringify(thing));
  await execa("tar", ["-czf", join(dir, "thing.tgz"), "package"], { cwd: base });
  const hash = createHash("sha512").update(await readFile(join(dir, "thing.tgz")));
  const dependencies = { thing: "file:thing.tgz" };
  await writeFile(join(dir, "package.json"), JSON.stringify({ name: "release", dependencies }));
  const entry = {
    version: "1.0.0",
    resolved: "file:thing.tgz",
    integrity: integrity ?? `sha512-${hash.digest("base64")}`,
    hasInstallScript: true,
  };
  const packages = { "": { name: "release", dependencies }, "node_modules/thing": entry };
  const lock = { name: "release", lockfileVersion: 3, requires: true, packages };
  await writeFile(join(dir, "package-lock.json"), JSON.stringify(lock));
  const said: Progress[] = [];
  const fetch = (isThere = false) =>
    fetchPackages({
      dir,
      stateDir: base,
      signal: new AbortController().signal,
      onProgress: (what) => said.push(what),
      isThere: async () => isThere,
    });
  return { dir, said, fetch };
}

async function has(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

describe("the packages for the image", () => {
  it("are fetched by the npm of the release, without running their scripts", async () => {
    const { dir, said, fetch } = await release();
    vi.stubEnv("npm_config_ignore_scripts", "false");
    expect(await fetch()).toEqual({ ok: true, value: undefined });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(true);
    expect(await has(join(dir, "ran"))).toBe(false);
    expect(said).toEqual([expect.stringContaining("175 MB")]);
  });

  it("are not fetched if another Neovim has done it meanwhile", async () => {
    const { dir, fetch } = await release();
    expect(await fetch(true)).toEqual({ ok: true, value: undefined });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it("are refused if their hash is not that of the lock file, with npm's reason and a command", async () => {
    const { dir, fetch } = await release({
      integrity: `sha512-${Buffer.alloc(64).toString("base64")}`,
    });
    const fetched = await fetch();
    if (fetched.ok) throw new Error("accepted");
    expect(fetched.error.kind).toBe("codex_missing");
    expect(fetched.error.message).toMatch(/could not be downloaded: .*integrity/);
    expect(fetched.error.fix).toBe(
      `cd ${dir.replace("'", "'\\''").replace(/^.*$/, "'$&'")} && node dist/npm/bin/npm-cli.js ci`,
    );
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it("are not fetched if nobody can tell whether another Neovim does so", async () => {
    const { dir, fetch } = await release();
    await writeFile(join(dir, "../locks"), "");
    expect(await fetch()).toMatchObject({
      ok: false,
      error: { kind: "codex_missing", fix: expect.stringMatching(/^ls -ld /) },
    });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it("are installed by npm in a checkout, which has no npm of its own", () => {
    expect(packagesCommand("/plugin")).toBe("cd /plugin && npm ci --omit=dev --include=optional");
  });
});
