import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { lockFile, lockPath } from "../chat/file/file-lock.ts";
import { type ChangePorts, type CodexRequest, type Subject, ThreadChanges } from "./changes.ts";
import { projectDir } from "./places.ts";

const THREAD = "01a1fcb4-c08b-77a2-b9ca-68eda92c9be5";

async function place(ports: Partial<ChangePorts> = {}) {
  const stateDir = await mkdtemp(join(tmpdir(), "codex-chat-changes-"));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const root = join(stateDir, "project");
  await mkdir(root);
  const chats = `${projectDir(stateDir, root)}/chats`;
  await mkdir(chats, { recursive: true });
  const path = join(chats, "a.md");
  const asked: CodexRequest[] = [];
  const changes = new ThreadChanges({
    tellCodex: async (request) => {
      asked.push(request);
      return { isTold: true };
    },
    letGo: async () => true,
    onChanged: () => undefined,
    ...ports,
  });
  const subject: Subject = { path, stateDir, root, thread: THREAD, name: "A", archived: false };
  return { stateDir, root, chats, path, asked, changes, subject };
}

describe("changes of conversations", () => {
  it("keep every byte of a renamed file, except its name", async () => {
    const { changes, path, subject } = await place();
    const body = Buffer.from([0x23, 0xff, 0xfe, 0x0d, 0x0a, 0x80]);
    for (const [before, after] of [
      ["---\nname: a\ntags: [x]\n---\n", "---\nname: Neu, ü\ntags: [x]\n---\n"],
      ["\ufeff---\r\nname: >-\r\n  a\r\n---\r\n", "\ufeff---\r\nname: Neu, ü\r\n---\r\n"],
      ["", "---\ncodex-chat: 1\nname: Neu, ü\n---\n\n"],
      ["\ufeff", "\ufeff---\ncodex-chat: 1\nname: Neu, ü\n---\n\n"],
    ] as const) {
      await writeFile(path, Buffer.concat([Buffer.from(before), body]));
      expect(await changes.run("rename", subject, " Neu,\u0007 ü\u202e")).toMatchObject({
        ok: true,
      });
      expect(await readFile(path)).toEqual(Buffer.concat([Buffer.from(after), body]));
    }
  });

  it("wait for this Neovim's own lock of the file, and not for another's", async () => {
    let release = () => Promise.resolve();
    const { changes, path, stateDir, subject } = await place({
      // As a host does that is still writing what it closes.
      letGo: async () => {
        setTimeout(release, 100);
        return true;
      },
    });
    await writeFile(path, "## You\n");
    const lock = await lockFile(path, lockPath(path, stateDir));
    if (!lock.ok) throw new Error(lock.error.message);
    release = lock.value.release;
    expect(await changes.run("archive", subject)).toMatchObject({ ok: true });
    const again = { ...subject, path: `${dirname(path)}/archive/a.md`, archived: true };
    await writeFile(`${again.path}.lock`, JSON.stringify({ pid: process.pid }));
    expect(await changes.run("unarchive", again)).toEqual({
      ok: false,
      error: "“A” is open in another Neovim, which writes it; unarchive it there.",
    });
  });

  it("are not made if a turn has begun while Codex was asked", async () => {
    const { changes, path, asked, subject } = await place({ letGo: async () => false });
    await writeFile(path, "## You\n");
    expect(await changes.run("delete", subject)).toEqual({
      ok: false,
      error: "a turn has begun in “A”: nothing was done.",
    });
    expect(asked).toEqual([{ task: "delete", root: subject.root, thread: THREAD }]);
    expect(await readFile(path, "utf8")).toBe("## You\n");
  });

  it("make Codex delete a thread later if Codex does not run, and nothing but a thread", async () => {
    const { changes, path, chats, subject } = await place({
      tellCodex: async () => ({ isTold: false }),
    });
    const forget = join(dirname(chats), "forget");
    for (const thread of ["../../escape", "no-thread", THREAD]) {
      await writeFile(path, "## You\n");
      expect(await changes.run("delete", { ...subject, thread })).toMatchObject({ ok: true });
    }
    expect(await readdir(forget)).toEqual([THREAD]);
    await expect(stat(join(dirname(chats), "escape"))).rejects.toThrow("ENOENT");
  });

  it("are requested from Codex again later if it refuses, with its reason", async () => {
    const { changes, path, chats, subject } = await place({
      tellCodex: async () => ({ isTold: false, reason: "A fork needs it." }),
    });
    await writeFile(path, "## You\n");
    expect(await changes.run("delete", subject)).toMatchObject({
      value: { message: "“A” is deleted; A fork needs it." },
    });
    expect(await readdir(join(dirname(chats), "forget"))).toEqual([THREAD]);
  });

  it("are made one after another, in the requested order", async () => {
    const { changes, path, subject } = await place();
    await writeFile(path, "## You\n");
    const [renamed, archived, deleted] = await Promise.all([
      changes.run("rename", subject, "B"),
      changes.run("archive", subject),
      changes.run("delete", subject),
    ]);
    expect([renamed.ok, archived.ok, deleted.ok]).toEqual([true, true, false]);
    expect(deleted).toMatchObject({ error: expect.stringContaining("is gone") });
  });
});
