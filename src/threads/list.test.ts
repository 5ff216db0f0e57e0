import { mkdir, mkdtemp, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { lockFile, lockPath } from "../chat/file/file-lock.ts";
import { type OpenChat, ThreadList, type ThreadSummary } from "./list.ts";
import { projectDir, type Where } from "./places.ts";
import { searchFiles } from "./search.ts";

const NEVER = new AbortController().signal;

/** A state directory and a project in a home of their own. */
async function place(history?: string) {
  const base = await mkdtemp(join(tmpdir(), "codex-chat-list-"));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const stateDir = join(base, "state");
  const root = join(base, "project");
  const state = projectDir(stateDir, root);
  const chats = history === undefined ? `${state}/chats` : join(root, history);
  const where: Where = { stateDir, root, chats, history, all: false };
  let minutes = 0;
  return {
    stateDir,
    root,
    chats,
    where,
    /** Writes a conversation, each older than the one before. */
    async put(name: string, ...lines: string[]): Promise<string> {
      const path = join(chats, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, lines.join("\n"));
      minutes += 1;
      const then = Date.now() / 1000 - minutes * 60 - 5;
      await utimes(path, then, then);
      return path;
    },
  };
}

async function listed(
  list: ThreadList,
  where: Where,
  options: { readonly archived?: boolean; readonly open?: readonly OpenChat[] } = {},
): Promise<{ threads: ThreadSummary[]; labels: string[]; problems: readonly string[] }> {
  const { archived = false, open = [] } = options;
  const pages = list.pages({ where, archived, open, signal: NEVER });
  const threads: ThreadSummary[] = [];
  for (;;) {
    const page = await pages.next();
    if (page.done === true)
      return { threads, labels: threads.map((thread) => thread.label), problems: page.value };
    threads.push(...page.value);
  }
}

describe("the list of conversations", () => {
  it("arrives in pages that the editor decodes within a frame", async () => {
    const { where, put } = await place();
    for (let n = 0; n < 1100; n += 1) await put(`${n}.md`, "## You", "", `Question ${n}?`);
    const sizes: number[] = [];
    const pages = new ThreadList().pages({ where, archived: false, open: [], signal: NEVER });
    for await (const page of pages) sizes.push(page.length);
    expect(sizes).toEqual([500, 500, 100]);
  });

  it("stops if nobody waits for it any longer", async () => {
    const { where, put } = await place();
    for (let n = 0; n < 1100; n += 1) await put(`${n}.md`, "## You");
    const wanted = new AbortController();
    const pages = new ThreadList().pages({
      where,
      archived: false,
      open: [],
      signal: wanted.signal,
    });
    await pages.next();
    wanted.abort();
    expect(await pages.next()).toMatchObject({ done: true });
  });

  it("reads a file again only if it has changed, whatever its age and size", async () => {
    const { where, put } = await place();
    const path = await put("a.md", "## You", "", "Before?");
    const list = new ThreadList(() => Date.now() + 1000);
    expect((await listed(list, where)).labels).toEqual(["Before?  (1 min · 0 turns)"]);
    const { ctimeMs } = await stat(path);
    const then = Date.now() / 1000 - 65;
    do {
      await writeFile(path, "## You\n\nBehind?");
      await utimes(path, then, then);
    } while ((await stat(path)).ctimeMs === ctimeMs);
    expect((await listed(list, where)).labels).toEqual(["Behind?  (1 min · 0 turns)"]);
  });

  it("shows the editor's text if it is ahead of the file", async () => {
    const { where, put } = await place();
    const path = await put("a.md", "## You", "", "In the file?", "", "## Codex");
    const head = "---\nname: In the editor\n---\n## You\n\nTyped?";
    const { labels } = await listed(new ThreadList(), where, { open: [{ path, head }] });
    expect(labels).toEqual(["In the editor  (1 min · 1 turn · Typed? · open here)"]);
  });

  it("shows which conversations another Neovim has open, wherever the locks lie", async () => {
    for (const history of [undefined, "notes"]) {
      const { where, stateDir, put } = await place(history);
      const [mine, theirs] = [await put("a.md", "## You"), await put("b.md", "## You")];
      const other = `${JSON.stringify({ pid: process.pid })}\n`;
      for (const path of [mine, theirs])
        await mkdir(dirname(lockPath(path, stateDir)), { recursive: true });
      const lock = await lockFile(mine, lockPath(mine, stateDir));
      expect(lock.ok).toBe(true);
      await writeFile(lockPath(theirs, stateDir), other);
      expect((await listed(new ThreadList(), where)).labels).toEqual([
        "a  (1 min · 0 turns)",
        "b  (2 min · 0 turns · open in another Neovim)",
      ]);
    }
  });

  it("leaves out anything but plain files, and follows no link", async () => {
    const { where, chats, stateDir, put } = await place("notes/chats");
    await put("a.md", "## You");
    await execa("mkfifo", [join(chats, "pipe.md")]);
    await symlink("/etc/passwd", join(chats, "link.md"));
    await mkdir(join(chats, "dir.md"));
    const list = new ThreadList();
    expect((await listed(list, where)).labels).toEqual(["a  (1 min · 0 turns)"]);
    await rm(join(chats, ".."), { recursive: true });
    await mkdir(join(stateDir, "secret/chats"), { recursive: true });
    await writeFile(join(stateDir, "secret/chats/a.md"), "## You\n\nSecret?");
    await symlink(join(stateDir, "secret"), join(chats, ".."));
    const { labels, problems } = await listed(list, where);
    expect(labels).toEqual([]);
    expect(problems).toEqual([expect.stringContaining("notes is a link")]);
    const { files } = await list.files(where, NEVER);
    expect(await searchFiles(files, "Secret", { stateDir, signal: NEVER })).toEqual([]);
  });

  it("reports how many names it cannot show, and lists the others", async () => {
    const { where, chats, put } = await place();
    await put("a.md", "## You");
    await writeFile(
      Buffer.concat([Buffer.from(`${chats}/b`), Buffer.from([0xff, 0x2e, 0x6d, 0x64])]),
      "",
    );
    expect(await listed(new ThreadList(), where)).toMatchObject({
      labels: [expect.stringContaining("a  (")],
      problems: [expect.stringContaining("1 files whose names are not valid UTF-8")],
    });
  });

  it("marks a conversation that is larger than the part that is read", async () => {
    const { where, put } = await place();
    const path = await put("a.md", "## You", "", "Large?", "## Codex", "");
    await truncate(path, 64 * 1024 * 1024 + 1);
    expect((await listed(new ThreadList(), where)).labels).toEqual([
      expect.stringContaining("over 1 turns"),
    ]);
  });
});
