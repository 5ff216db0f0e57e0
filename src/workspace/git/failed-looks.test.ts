/** One look at the real repository that fails, at every place where one is taken. */

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { LookError } from "../../look.ts";
import { readRefs } from "./refs.ts";
import { inspectRepository } from "./repository/repository.ts";
import { findSubmodules } from "./repository/submodules.ts";
import { readIndex, snapshotRepository } from "./snapshot.ts";

// The subject must be loaded anew to get what is put in place here, and the next file's without it.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

/** The call that fails, counted from 1, and how; 0 lets all succeed. */
const fault = vi.hoisted(() => ({ at: 0, code: "EACCES", calls: 0 }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const wrap = <T extends (...args: never[]) => Promise<unknown>>(call: T) =>
    Object.assign((...args: Parameters<T>) => {
      // The error's own look for a command comes after the one that has failed.
      if (++fault.calls !== fault.at) return call(...args);
      return Promise.reject(Object.assign(new Error("injected"), { code: fault.code }));
    }, call);
  return {
    ...real,
    lstat: wrap(real.lstat),
    realpath: wrap(real.realpath),
    readdir: wrap(real.readdir),
    open: wrap(real.open),
  };
});

let base = "";
let root = "";
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-git-looks-")));
  root = join(base, "root");
  const config = ["user.name=t", "user.email=t@t", "protocol.file.allow=always"];
  const git = (...args: readonly string[]) =>
    execaSync("git", [...config.flatMap((setting) => ["-c", setting]), "-C", base, ...args], {
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    });
  for (const name of ["other", "library"]) {
    git("init", "-q", name);
    git("-C", name, "commit", "-q", "--allow-empty", "-m", "first");
  }
  git("clone", "-q", "--shared", "other", "root");
  git("-C", root, "submodule", "add", "-q", join(base, "library"), "lib");
  git("-C", root, "branch", "a/b");
  git("-C", root, "pack-refs", "--all");
  git("-C", root, "branch", "c");
  await mkdir(join(base, "home"));
  await writeFile(join(root, ".git/info/sparse-checkout"), "/*\n");
});
afterAll(() => rm(base, { recursive: true, force: true }));

/** All that is seen, as text; or the error as one. */
async function see(at: number, code: string): Promise<string> {
  Object.assign(fault, { at, code, calls: 0 });
  const gitDir = join(root, ".git");
  const env = { PATH: process.env["PATH"], HOME: join(base, "home") };
  const readable = [join(base, "other/.git")];
  try {
    const repository = await inspectRepository({ root, gitDir, commonDir: gitDir, readable, env });
    if (!repository.ok) return "refused";
    const submodules = await findSubmodules(gitDir);
    const { refs } = await readRefs(gitDir);
    const snapshot = await snapshotRepository(repository.value, { gitDir, objects: [] }, env);
    const index = await readIndex(repository.value, base);
    if (!index.ok) return "refused";
    const { indexSignature: _, files, ...rest } = snapshot;
    const kept = [...files].filter(([name]) => name === "info/sparse-checkout");
    return JSON.stringify([repository.value, submodules, [...refs], kept, [...index.value], rest]);
  } catch (cause) {
    if (cause instanceof LookError) return "refused";
    throw cause;
  } finally {
    fault.at = 0;
  }
}

it("a look that fails is a refusal or changes nothing, whichever look it is", async () => {
  const whole = await see(0, "");
  const count = fault.calls;
  expect(whole).toContain("refs/heads/a/b");
  expect(whole).toContain('"lib"');
  expect(whole).toContain(join(base, "other/.git/objects"));
  let refused = 0;
  for (const code of ["EACCES", "EIO", "EMFILE", "ENAMETOOLONG"])
    for (let at = 1; at <= count; at++) {
      const seen = await see(at, code);
      if (seen === "refused") refused++;
      else expect([at, code, seen]).toEqual([at, code, whole]);
    }
  expect(refused).toBeGreaterThan(count);
});
