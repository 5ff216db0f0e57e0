import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../../test/support/root.ts";
import {
  forgetProtected,
  type GuardRecord,
  isAgents,
  mergeGuard,
  noteMade,
  type PathKind,
  type ProtectedPath,
  readGuardRecord,
  writeGuardRecord,
} from "./guard-record.ts";

const file = (name: string): ProtectedPath => ({ name, kind: "file" });
const directory = (name: string): ProtectedPath => ({ name, kind: "directory" });

async function merge(
  now: readonly ProtectedPath[],
  before: readonly ProtectedPath[],
  there: Readonly<Record<string, PathKind>> = {},
) {
  return mergeGuard(now, { protected: [...before], made: [] }, async (name) => there[name]);
}

describe("a path that was protected before", () => {
  it("stays protected even if nothing names it any longer", async () => {
    const merged = await merge([], [directory(".githooks")], { ".githooks": "directory" });
    expect(merged).toMatchObject({
      ok: true,
      value: { protected: [directory(".githooks")], notes: [] },
    });
  });

  it("is reported once if it is gone, and protected again when it is back", async () => {
    const gone = await merge([], [file(".envrc")]);
    if (!gone.ok) throw new Error(gone.error.reason);
    expect(gone.value.protected).toEqual([]);
    expect(gone.value.notes).toEqual([expect.stringContaining(".envrc was read-only")]);
    const again = await mergeGuard([], gone.value.record, async () => undefined);
    expect(again).toMatchObject({ ok: true, value: { notes: [] } });
    const back = await mergeGuard([], gone.value.record, async () => "file");
    expect(back).toMatchObject({ ok: true, value: { protected: [file(".envrc")] } });
  });

  it.each<[string, ProtectedPath, PathKind, string]>([
    ["git's own directory is gone", directory(".git"), undefined, "now it is gone"],
    ["a file has become a link", file(".envrc"), "other", "now it is a link or reached by one"],
    ["a directory has become a file", directory(".husky"), "file", "now it is a file"],
  ])("leads to a refusal if %s", async (_what, before, now, words) => {
    expect(await merge([], [before], { [before.name]: now })).toMatchObject({
      ok: false,
      error: {
        reason: expect.stringContaining(words),
        fix: expect.stringContaining(`:CodexChat sandbox unprotect ${before.name}`),
      },
    });
  });

  it("leads to a refusal if it is now of another kind", async () => {
    expect((await merge([file(".git")], [directory(".git")])).ok).toBe(false);
  });
});

describe("the record of protected paths", () => {
  async function stateDir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-record-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    return dir;
  }
  const record: GuardRecord = { protected: [directory(".git"), file("a b/ü")], made: [] };

  it("is absent before the first start, then as written and readable by this user only", async () => {
    const dir = await stateDir();
    expect(await readGuardRecord(dir)).toEqual({ ok: true, value: undefined });
    expect(await readGuardRecord(join(dir, "absent"))).toEqual({ ok: true, value: undefined });
    await writeGuardRecord(dir, record);
    expect(await readGuardRecord(dir)).toEqual({ ok: true, value: record });
    expect((await stat(join(dir, "protected.json"))).mode & 0o777).toBe(0o600);
  });

  it.each(["", "{}", "not JSON", '{"protected":[{"name":""}],"made":[]}'])(
    "leads to a refusal if it contains %j",
    async (text) => {
      const dir = await stateDir();
      await writeFile(join(dir, "protected.json"), text);
      const read = await readGuardRecord(dir);
      expect(read).toMatchObject({ ok: false, error: { kind: "state_unwritable" } });
      if (!read.ok) expect(read.error.fix).toContain("rm ");
    },
  );

  it("leads to a refusal if it is a link", async () => {
    const dir = await stateDir();
    await writeGuardRecord(await stateDir(), record);
    await symlink("/dev/zero", join(dir, "protected.json"));
    expect((await readGuardRecord(dir)).ok).toBe(false);
  });

  itUnlessRoot("leads to a refusal if it cannot be read", async () => {
    const dir = await stateDir();
    await writeGuardRecord(dir, record);
    await chmod(join(dir, "protected.json"), 0);
    const read = await readGuardRecord(dir);
    expect(read.ok ? "" : read.error.message).toContain("EACCES");
  });

  it("tells the agent's own repositories from others, and forgets unprotected paths", async () => {
    const [dir, root] = [await stateDir(), await stateDir()];
    await writeGuardRecord(dir, record);
    await mkdir(join(root, "its/.git/objects"), { recursive: true });
    await noteMade(dir, root, ["its/.git", ".git", "gone/.git"]);
    expect(await forgetProtected(dir, "a b/ü")).toEqual({ wasProtected: true });
    const read = await readGuardRecord(dir);
    if (!read.ok || read.value === undefined) throw new Error("there is no record");
    expect(read.value.protected).toEqual([directory(".git")]);
    expect(read.value.made.map((entry) => entry.name)).toEqual(["its/.git"]);
    expect(await isAgents(root, "its/.git", read.value)).toBe(true);
    // Made again in the same directory, it is somebody else's.
    await writeFile(join(root, "its/.git/HEAD"), "ref: refs/heads/main\n");
    expect(await isAgents(root, "its/.git", read.value)).toBe(false);
  });
});
