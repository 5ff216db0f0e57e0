import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../test/support/root.ts";
import { prepareState } from "./mounts/state-mounts.ts";
import { beginRecord, dropRecord, isRecorded } from "./ownership/container-record.ts";
import { ownDirectory, readOwnFile } from "./private-file.ts";

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-own-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe("a directory private to this user", () => {
  it("is private with any umask, and closed if it was open", async () => {
    const dir = join(await scratch(), "a", "b");
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    expect(await ownDirectory(dir)).toBeNull();
    expect([await modeOf(dir), await modeOf(join(dir, ".."))]).toEqual(["700", "700"]);
    await chmod(dir, 0o775);
    expect(await ownDirectory(dir)).toBeNull();
    expect(await modeOf(dir)).toBe("700");
  });

  it("is neither a link nor a file", async () => {
    const dir = await scratch();
    await mkdir(join(dir, "elsewhere"));
    await symlink("elsewhere", join(dir, "link"));
    await writeFile(join(dir, "file"), "");
    for (const name of ["link", "file"])
      expect(await ownDirectory(join(dir, name))).toMatchObject({ what: "is a link or a file" });
    expect(await readdir(join(dir, "elsewhere"))).toEqual([]);
  });

  itUnlessRoot("does not belong to anybody else, not even root", async () => {
    expect(await ownDirectory("/usr")).toMatchObject({ what: "belongs to the user 0" });
    const state = await prepareState("/usr", { uid: 0, gid: 0 });
    expect(state.ok ? "" : state.error.message).toContain(
      "/usr belongs to the user 0; a directory of your own was expected.",
    );
  });

  it("refuses a state directory whose leases are a link", async () => {
    const dir = await scratch();
    await mkdir(join(dir, "elsewhere"));
    await symlink(join(dir, "elsewhere"), join(dir, "leases"));
    const state = await prepareState(dir, { uid: 0, gid: 0 });
    expect(state.ok ? "" : state.error.message).toContain("leases is a link or a file");
  });
});

describe("a file that only this user can have written", () => {
  it("is read, and nothing else is", async () => {
    const dir = await scratch();
    const path = join(dir, "file");
    await writeFile(path, "mine", { mode: 0o600 });
    expect(await readOwnFile(path)).toBe("mine");
    await symlink("file", join(dir, "link"));
    execFileSync("mkfifo", [join(dir, "pipe")]);
    await mkdir(join(dir, "directory"));
    await writeFile(join(dir, "large"), "x".repeat(65 * 1024));
    for (const [name, why] of [
      ["link", "is a link"],
      ["pipe", "is not a regular file"],
      ["large", "is larger than"],
      ["directory", "is not a regular file"],
      ["file/below", "is a link or a file"],
    ] as const)
      await expect(readOwnFile(join(dir, name))).rejects.toThrow(why);
    for (const absent of ["absent", "absent/file"])
      expect(await readOwnFile(join(dir, absent))).toBeUndefined();
    await chmod(path, 0o666);
    await expect(readOwnFile(path)).rejects.toThrow(`${path} can be written by other users`);
    await chmod(path, 0o600);
    await chmod(dir, 0o777);
    await expect(readOwnFile(path)).rejects.toThrow(`${dir} can be written by other users`);
  });
});

describe("the record of a container", () => {
  const labels = (token: string) => ({ "codex-chat.token": token });

  it("matches exactly the container that was made, and no other with its labels", async () => {
    const place = { stateDir: await scratch(), engine: "e1", name: "codex-chat-app-1" };
    const { token, made } = await beginRecord(place);
    await made("id-1");
    const one = { id: "id-1", labels: labels(token), wasStarted: true };
    expect(await isRecorded(place, one)).toBe(true);
    expect(await isRecorded(place, { ...one, id: "id-2" })).toBe(false);
    expect(await isRecorded({ ...place, engine: "e2" }, one)).toBe(false);
    await dropRecord(place);
    expect(await isRecorded(place, one)).toBe(false);
  });

  it("does not count as absent if it is empty", async () => {
    const place = { stateDir: await scratch(), engine: "e1", name: "codex-chat-app-1" };
    const { token, made } = await beginRecord(place);
    await made("id-1");
    const path = join(place.stateDir, "containers", "codex-chat-app-1.e1.json");
    await writeFile(path, "");
    const one = { id: "id-1", labels: labels(token), wasStarted: true };
    await expect(isRecorded(place, one)).rejects.toThrow(`${path} is not a record of a container`);
  });

  it("is not begun in a directory that is a link", async () => {
    const place = { stateDir: await scratch(), engine: "e1", name: "codex-chat-app-1" };
    await mkdir(join(place.stateDir, "elsewhere"));
    await symlink("elsewhere", join(place.stateDir, "containers"));
    await expect(beginRecord(place)).rejects.toThrow("containers is a link or a file");
    expect(await readdir(join(place.stateDir, "elsewhere"))).toEqual([]);
  });

  it("matches a container of unknown id by its token, until it is started", async () => {
    const place = { stateDir: await scratch(), engine: "e1", name: "codex-chat-app-1" };
    const { token } = await beginRecord(place);
    const one = { id: "id-1", labels: labels(token), wasStarted: false };
    expect(await isRecorded(place, one)).toBe(true);
    expect(await isRecorded(place, { ...one, wasStarted: true })).toBe(false);
    expect(await isRecorded(place, { ...one, labels: labels("forged") })).toBe(false);
    expect(await isRecorded(place, { ...one, labels: {} })).toBe(false);
  });
});
