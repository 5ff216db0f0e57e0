import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startTimeOf } from "../../process/process-identity.ts";
import { lockFile } from "./file-lock.ts";

/** A file in a directory of its own. */
async function newFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "codex-chat-lock-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, "chat.md");
}

/** A lock as a process of this machine and boot would have made it. */
async function lockOf(file: string, fields: Record<string, unknown>): Promise<void> {
  const taken = await lockFile(file);
  if (!taken.ok) throw new Error(taken.error.message);
  const holder: unknown = JSON.parse(await readFile(`${file}.lock`, "utf8"));
  await writeFile(`${file}.lock`, JSON.stringify({ ...Object(holder), ...fields }));
}

describe("lockFile", () => {
  it("names this process, and is removed on release", async () => {
    const file = await newFile();
    const lock = await lockFile(file);
    expect(lock.ok).toBe(true);
    expect(JSON.parse(await readFile(`${file}.lock`, "utf8"))).toMatchObject({ pid: process.pid });
    if (lock.ok) await lock.value.release();
    expect(await readdir(join(file, ".."))).toEqual([]);
  });

  it("refuses a file that a live process has locked, and names the process", async () => {
    const file = await newFile();
    await lockFile(file);
    expect(await lockFile(file)).toMatchObject({
      ok: false,
      error: { kind: "locked", pid: process.pid },
    });
  });

  it("takes over from a dead process whose pid was reused", async () => {
    const file = await newFile();
    await lockOf(file, { startTime: "1" });
    expect((await lockFile(file)).ok).toBe(true);
  });

  it("takes over from a process that has ended before its parent asks about it", async () => {
    const file = await newFile();
    // The shell becomes a program that never waits for its child.
    const parent = spawn("sh", ["-c", "sleep 600 & echo $!; exec sleep 600"]);
    onTestFinished(() => void parent.kill("SIGKILL"));
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(String(line));
    const startTime = await startTimeOf(pid);
    await lockOf(file, { pid, startTime });
    expect((await lockFile(file)).ok).toBe(false);
    await expect.poll(() => readFile(`/proc/${parent.pid}/comm`, "utf8")).toBe("sleep\n");
    process.kill(pid, "SIGKILL");
    await expect.poll(async () => (await lockFile(file)).ok).toBe(true);
    expect(await startTimeOf(pid)).toBe(startTime);
  });

  it("tells what was running when the previous process died", async () => {
    const file = await newFile();
    const lock = await lockFile(file);
    if (!lock.ok) throw new Error(lock.error.message);
    expect(lock.value.left).toBe("nothing");
    const left = async () => {
      const holder: unknown = JSON.parse(await readFile(`${file}.lock`, "utf8"));
      await writeFile(`${file}.lock`, JSON.stringify({ ...Object(holder), startTime: "1" }));
      const next = await lockFile(file);
      if (!next.ok) throw new Error(next.error.message);
      return next.value;
    };
    await lock.value.note("other");
    await lock.value.note("answer");
    expect((await left()).left).toBe("answer");
    expect((await left()).left).toBe("nothing");
  });

  it("takes over after a restart of the machine", async () => {
    const file = await newFile();
    await lockOf(file, { boot: "another" });
    expect((await lockFile(file)).ok).toBe(true);
  });

  it("leaves the lock of another machine in place", async () => {
    const file = await newFile();
    await lockOf(file, { host: "elsewhere", startTime: "1" });
    expect(await lockFile(file)).toMatchObject({ ok: false, error: { kind: "locked" } });
  });

  it("takes over an empty lock once it is old, not before", async () => {
    const file = await newFile();
    await writeFile(`${file}.lock`, "");
    expect((await lockFile(file)).ok).toBe(false);
    await utimes(`${file}.lock`, 0, 0);
    expect((await lockFile(file)).ok).toBe(true);
  });

  it("refuses a lock that is a link", async () => {
    const file = await newFile();
    const victim = `${file}.victim`;
    await writeFile(victim, "precious");
    await symlink(victim, `${file}.lock`);
    expect(await lockFile(file)).toMatchObject({ ok: false, error: { kind: "strange" } });
    expect(await readFile(victim, "utf8")).toBe("precious");
  });

  it("gives the file to one of several processes that take it over at the same time", async () => {
    const file = await newFile();
    await lockOf(file, { startTime: "1" });
    const taken = await Promise.all(Array.from({ length: 8 }, () => lockFile(file)));
    expect(taken.filter((lock) => lock.ok)).toHaveLength(1);
  });

  it("gives the reason if a lock cannot be made", async () => {
    const file = join(await newFile(), "missing", "chat.md");
    expect(await lockFile(file)).toMatchObject({
      ok: false,
      error: { kind: "failed", code: "ENOENT" },
    });
  });
});
