import { existsSync } from "node:fs";
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { removeFile, writeAtomically, writeNew } from "../../atomic-write.ts";
import { lockFile, lockPath } from "./file-lock.ts";
import { openStore } from "./store.ts";

/** A project with a directory of conversations, and a file of the user's outside of it. */
async function newProject() {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-write-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const chats = join(base, "project/.chats");
  const home = join(base, "victim");
  await mkdir(chats, { recursive: true });
  await mkdir(home);
  await writeFile(join(home, "chat.md"), "precious");
  return { base, chats, home, path: join(chats, "chat.md"), victim: join(home, "chat.md") };
}

describe("writeAtomically", () => {
  it("replaces only the expected file, and returns the stamp of the new one", async () => {
    const { chats, path } = await newProject();
    const first = await writeAtomically(path, "one", { replaces: "absent" });
    const second = await writeAtomically(path, "two", { replaces: first });
    for (const replaces of [first, "absent"])
      await expect(writeAtomically(path, "three", { replaces })).rejects.toMatchObject({
        code: "ECHANGED",
      });
    expect(await readFile(path, "utf8")).toBe("two");
    // Changed in place, as by an editor that keeps the file.
    await writeFile(path, "TWO");
    await expect(writeAtomically(path, "three", { replaces: second })).rejects.toMatchObject({
      code: "ECHANGED",
    });
    await rm(path);
    await expect(writeAtomically(path, "three", { replaces: second })).rejects.toMatchObject({
      code: "ECHANGED",
    });
    expect(await readdir(chats)).toEqual([]);
  });

  it("keeps the mode of the file and leaves no other file beside it", async () => {
    const { chats, path } = await newProject();
    await writeFile(path, "old");
    await chmod(path, 0o640);
    await writeAtomically(path, "new");
    expect(await readFile(path, "utf8")).toBe("new");
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(chats)).toEqual(["chat.md"]);
  });

  it("refuses a link in the file's place, and names the link", async () => {
    const { chats, path, victim } = await newProject();
    await symlink(victim, path);
    await expect(writeAtomically(path, "text")).rejects.toMatchObject({
      code: "ELOOP",
      message: expect.stringContaining(`${path} is a link`),
    });
    expect(await readFile(victim, "utf8")).toBe("precious");
    expect(await readdir(chats)).toEqual(["chat.md"]);
  });

  it("refuses a link in place of any directory in the path", async () => {
    const { base, chats, home, victim } = await newProject();
    await mkdir(join(home, "deep"));
    await writeFile(join(home, "deep/chat.md"), "precious");
    await symlink(home, join(chats, "sub"));
    for (const name of ["sub/chat.md", "sub/deep/chat.md", "sub/new/chat.md"])
      await expect(
        writeAtomically(join(chats, name), "text", { make: true }),
      ).rejects.toMatchObject({
        code: "ELOOP",
        message: expect.stringContaining(`${join(chats, "sub")} is a link`),
      });
    expect(await readFile(victim, "utf8")).toBe("precious");
    expect(await readFile(join(home, "deep/chat.md"), "utf8")).toBe("precious");
    expect(existsSync(join(home, "new"))).toBe(false);
    // The control: a directory that no agent writes in may be reached by the user's links.
    await symlink(home, join(base, "trusted"));
    await writeAtomically(join(base, "trusted/chat.md"), "text", {
      trusted: join(base, "trusted"),
    });
    expect(await readFile(victim, "utf8")).toBe("text");
  });

  it("replaces one name of a file with several hard links, and leaves the others", async () => {
    const { path, victim } = await newProject();
    await link(victim, path);
    await writeAtomically(path, "text");
    expect(await readFile(path, "utf8")).toBe("text");
    expect(await readFile(victim, "utf8")).toBe("precious");
  });

  it("does not block on a pipe in the file's place", async () => {
    const { path } = await newProject();
    await execa("mkfifo", [path]);
    await expect(writeAtomically(path, "text")).rejects.toMatchObject({
      message: expect.stringContaining("is not a plain file"),
    });
    expect((await lstat(path)).isFIFO()).toBe(true);
  });

  it("stays in the opened directory when that is swapped for a link", async () => {
    const { chats, home, path, victim } = await newProject();
    const writing = writeAtomically(path, "text");
    // Opened already: all up to the first await is one step.
    await rename(chats, `${chats}-moved`);
    await symlink(home, chats);
    await writing;
    expect(await readFile(victim, "utf8")).toBe("precious");
    expect(await readdir(home)).toEqual(["chat.md"]);
    expect(await readFile(join(`${chats}-moved`, "chat.md"), "utf8")).toBe("text");
  });
});

describe("a file that is written beside a conversation", () => {
  it("is never written through a link", async () => {
    const { base, chats, home } = await newProject();
    await symlink(home, join(chats, "images"));
    await symlink(join(base, "dangling"), join(chats, "a.png"));
    const at = { make: true };
    expect(() => writeNew(join(chats, "images/a.png"), "x", at)).toThrow("is a link");
    expect(() => writeNew(join(chats, "a.png"), "x", at)).toThrow("EEXIST");
    expect(await readdir(home)).toEqual(["chat.md"]);
    expect(existsSync(join(base, "dangling"))).toBe(false);
    await expect(removeFile(join(chats, "images/chat.md"), {})).rejects.toThrow("is a link");
    expect(await readdir(home)).toEqual(["chat.md"]);
    await removeFile(join(chats, "a.png"), {});
    await removeFile(join(chats, "gone"), {});
    expect(await readdir(chats)).toEqual(["images"]);
  });
});

describe("the lock of a conversation in the project", () => {
  it("lies where the agent cannot write, and a lock that the agent writes beside the file is ignored", async () => {
    const { base, path, chats } = await newProject();
    const stateDir = join(base, "state");
    await writeFile(`${path}.lock`, '{"pid":1}\n');
    const options = { path, stateDir, read: () => "text", onProblem: () => {} };
    const first = await openStore(options);
    expect(first.ok).toBe(true);
    await rm(`${path}.lock`);
    expect(await openStore(options)).toMatchObject({ ok: false, error: { kind: "locked" } });
    if (first.ok) await first.value.close();
    expect(await readdir(chats)).toEqual([]);
    expect(await readdir(join(stateDir, "locks"))).toEqual([]);
    // The control: beside the file, such a lock is there for as long as the agent likes.
    await writeFile(`${path}.lock`, '{"pid":1}\n');
    expect(await lockFile(path)).toMatchObject({ ok: false, error: { kind: "locked" } });
  });

  it("is the same one for every name of the file's directory", async () => {
    const { base, chats, path } = await newProject();
    const stateDir = join(base, "state");
    await symlink(chats, join(base, "alias"));
    expect(lockPath(join(base, "alias/chat.md"), stateDir)).toBe(lockPath(path, stateDir));
    expect(lockPath(join(stateDir, "projects/a/chats/b.md"), stateDir)).toBe(
      join(stateDir, "projects/a/chats/b.md.lock"),
    );
  });
});
