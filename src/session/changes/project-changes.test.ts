import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { itUnlessRoot } from "../../../test/support/root.ts";
import { silentLog } from "../../log.ts";
import type { ActionResult } from "../../nvim/index.ts";
import { fileBefore, listChanges } from "./list.ts";
import { noteSave } from "./own-saves.ts";
import { ProjectChanges } from "./project-changes.ts";
import { accept, unaccept } from "./review.ts";
import { recover, redo, reject, undo } from "./undo.ts";

const signal = new AbortController().signal;
const made: string[] = [];

afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A project, and its turns: each is a function that changes files. */
function project(files: Readonly<Record<string, string>> = {}) {
  const base = mkdtempSync(join(tmpdir(), "codex-chat-changes-"));
  made.push(base);
  const root = join(base, "project");
  mkdirSync(root);
  const write = (name: string, text: string) => writeFileSync(join(root, name), text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  const open = () =>
    new ProjectChanges({
      ...{ root, projectDir: join(base, "state"), env: { HOME: base }, log: silentLog },
      foreign: () => [],
    });
  let changes = open();
  const place = { path: "/chats/a.md", threadId: "t", text: "" };
  let count = 0;
  return {
    root,
    place,
    write,
    read: (name: string) => readFileSync(join(root, name), "utf8"),
    get changes() {
      return changes;
    },
    /** Another host takes over. */
    again() {
      changes = open();
    },
    async turn(work: () => void | Promise<void>) {
      const turn = { threadId: "t", path: place.path, queries: [`query ${++count}`] };
      expect(await changes.before(turn, signal)).toEqual({ ok: true, value: undefined });
      await changes.ready(turn);
      await work();
      return changes.after(turn);
    },
    async list(since: "turn" | "all" | number = "all") {
      const listed = await listChanges(changes, place, { since, quick: false });
      if (!listed.ok) throw new Error(listed.error.message);
      return listed.value;
    },
    /** A file as it is on the left. */
    async left(name: string) {
      const { left } = await this.list();
      const before = await fileBefore(changes, { left, path: join(root, name) });
      const path = before.ok ? before.value.content : undefined;
      return path === undefined ? undefined : readFileSync(path, "utf8");
    },
  };
}

/** The names and line counts of a list. */
function shown({ files }: ActionResult<"changes/list">) {
  return files.map(({ path, added, removed }) => `${path.split("/").at(-1)} +${added} -${removed}`);
}

const LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";

describe("the list of changes", () => {
  it("has what Codex changed, and not what the user changed between turns", async () => {
    const own = project({ "a.txt": LINES, "b.txt": "b\n" });
    await own.turn(() => own.write("a.txt", LINES.replace("two", "TWO")));
    own.write("a.txt", own.read("a.txt").replace("nine", "9"));
    own.write("b.txt", "mine\n");
    expect(shown(await own.list())).toEqual(["a.txt +1 -1"]);
    expect(await own.left("a.txt")).toBe(LINES.replace("nine", "9"));
    await own.turn(() => own.write("b.txt", "mine\nCodex's\n"));
    own.write("a.txt", own.read("a.txt").replace("five", "5"));
    expect(shown(await own.list())).toEqual(["a.txt +1 -1", "b.txt +1 -0"]);
    expect(shown(await own.list(2))).toEqual(["b.txt +1 -0"]);
    expect(shown(await own.list("turn"))).toEqual(["b.txt +1 -0"]);
  });

  it("shows a file in which both Codex and the user have changed lines", async () => {
    const own = project({ "a.txt": "one\n" });
    await own.turn(() => own.write("a.txt", "Codex's\n"));
    own.write("a.txt", "mine\n");
    expect(shown(await own.list())).toEqual(["a.txt +1 -1"]);
    expect(await own.left("a.txt")).toBe("one\n");
  });

  it("leaves out what was undone, and includes what was redone", async () => {
    const own = project({ "a.txt": "one\n" });
    await own.turn(() => own.write("a.txt", "two\n"));
    expect(await undo(own.changes, own.place, { scope: "turn" })).toMatchObject({ ok: true });
    expect(await own.list()).toMatchObject({ files: [] });
    expect(await redo(own.changes, own.place)).toMatchObject({ ok: true });
    expect(shown(await own.list())).toEqual(["a.txt +1 -1"]);
  });

  it("names renamed files once, and names files that cannot be recorded", async () => {
    const own = project({ "a.txt": LINES });
    await own.turn(() => {
      own.write("b.txt", LINES.replace("two", "TWO"));
      rmSync(join(own.root, "a.txt"));
      own.write("large.bin", "x".repeat(11 * 1024 ** 2));
    });
    expect(await own.list()).toMatchObject({
      files: [{ path: join(own.root, "b.txt"), old: join(own.root, "a.txt"), change: "renamed" }],
    });
  });
});

describe("files that ignore rules hide", () => {
  it("are marked, whichever list of rules hides them, and can be undone", async () => {
    const own = project({ "a.env": "A=1\n", "b.log": "b\n", "c.tmp": "c\n", "d.txt": "d\n" });
    execFileSync("git", ["init", "-q", own.root]);
    own.write(".gitignore", "*.env\n");
    own.write(".git/info/exclude", "*.log\n");
    mkdirSync(join(own.root, "../.config/git"), { recursive: true });
    own.write("../.config/git/ignore", "*.tmp\n");
    const names = ["a.env", "b.log", "c.tmp", "d.txt"];
    await own.turn(() => {
      for (const name of names) own.write(name, "changed\n");
    });
    const { files } = await own.list();
    expect(files.map(({ path, ignored }) => [path.split("/").at(-1), ignored])).toEqual([
      ["a.env", true],
      ["b.log", true],
      ["c.tmp", true],
      ["d.txt", false],
    ]);
    await undo(own.changes, own.place, { scope: "turn" });
    expect(names.map(own.read)).toEqual(["A=1\n", "b\n", "c\n", "d\n"]);
  });
});

describe("changes that the user accepts", () => {
  it("leave the list, line by line, until the acceptance is taken back", async () => {
    const own = project({ "a.txt": LINES });
    await own.turn(() =>
      own.write("a.txt", LINES.replace("two", "TWO\nmore").replace("eight\n", "")),
    );
    const { left } = await own.list();
    const path = join(own.root, "a.txt");
    const hunk = { left: [2, 1] as [number, number], right: [2, 2] as [number, number] };
    const accepted = await accept(own.changes, { left, files: [{ path, hunks: [hunk] }] });
    expect(accepted).toMatchObject({ ok: true });
    expect(shown(await own.list())).toEqual(["a.txt +0 -1"]);
    expect(await own.left("a.txt")).toBe(LINES.replace("two", "TWO\nmore"));
    own.again();
    const rest = await own.list();
    await accept(own.changes, { left: rest.left, files: [{ path }] });
    expect(await own.list()).toMatchObject({ files: [] });
    await unaccept(own.changes);
    expect(shown(await own.list())).toEqual(["a.txt +0 -1"]);
    await unaccept(own.changes);
    expect(shown(await own.list())).toEqual(["a.txt +2 -2"]);
    expect(await unaccept(own.changes)).toMatchObject({ ok: false, error: { kind: "nothing" } });
  });

  it("are refused if the file has changed since it was shown", async () => {
    const own = project({ "a.txt": LINES });
    await own.turn(() => own.write("a.txt", LINES.replace("two", "TWO")));
    const { left } = await own.list();
    const hunks = [{ left: [2, 1] as [number, number], right: [2, 1] as [number, number] }];
    const file = { path: join(own.root, "a.txt"), hunks, sha256: "0".repeat(64) };
    const accepted = await accept(own.changes, { left, files: [file] });
    expect(accepted).toMatchObject({ ok: false, error: { kind: "changed" } });
  });

  it("may be a new, a deleted or a renamed file as a whole", async () => {
    const own = project({ "old.txt": "old\n", "moved.txt": LINES });
    await own.turn(() => {
      own.write("new.txt", "new\n");
      own.write("here.txt", LINES);
      for (const name of ["old.txt", "moved.txt"]) rmSync(join(own.root, name));
    });
    const { left, files } = await own.list();
    expect(files.map(({ change }) => change).sort()).toEqual(["created", "deleted", "renamed"]);
    await accept(own.changes, { left, files: files.map(({ path }) => ({ path })) });
    expect(await own.list()).toMatchObject({ files: [] });
  });
});

describe("changes that the user rejects", () => {
  it("are undone file by file, and can be restored", async () => {
    const own = project({ "a.txt": LINES, "b.txt": "b\n" });
    await own.turn(() => {
      own.write("a.txt", LINES.replace("two", "TWO"));
      own.write("b.txt", "B\n");
      own.write("new.txt", "new\n");
    });
    own.write("a.txt", own.read("a.txt").replace("nine", "9"));
    const { left } = await own.list();
    const paths = ["a.txt", "new.txt"].map((name) => join(own.root, name));
    await reject(own.changes, own.place, { left, paths });
    expect(own.read("a.txt")).toBe(LINES.replace("nine", "9"));
    expect(shown(await own.list())).toEqual(["b.txt +1 -1"]);
    await redo(own.changes, own.place);
    expect(shown(await own.list())).toEqual(["a.txt +1 -1", "b.txt +1 -1", "new.txt +1 -0"]);
  });
});

describe("changes that the user saves while a turn runs", () => {
  it("are neither listed nor undone", async () => {
    const own = project({ "a.txt": LINES });
    await own.turn(async () => {
      own.write("a.txt", LINES.replace("two", "TWO"));
      const before = join(own.root, "../copy");
      copyFileSync(join(own.root, "a.txt"), before);
      own.write("a.txt", own.read("a.txt").replace("nine", "9"));
      await noteSave(own.changes, { path: join(own.root, "a.txt"), before });
      own.write("mine.txt", "mine\n");
      await noteSave(own.changes, { path: join(own.root, "mine.txt") });
      own.write("a.txt", own.read("a.txt").replace("five", "FIVE"));
      expect(existsSync(before)).toBe(false);
    });
    expect(shown(await own.list())).toEqual(["a.txt +2 -2"]);
    await undo(own.changes, own.place, { scope: "turn" });
    expect(own.read("a.txt")).toBe(LINES.replace("nine", "9"));
    expect(own.read("mine.txt")).toBe("mine\n");
  });

  it("do not include files outside of the project", async () => {
    const own = project({ "a.txt": "a\n" });
    await own.turn(async () => {
      own.write("../outside.txt", "secret\n");
      await noteSave(own.changes, { path: join(own.root, "../outside.txt") });
    });
    expect(await own.changes.log.read()).toMatchObject({ settled: [] });
  });
});

describe("a host that dies", () => {
  it("in a turn leaves the turn's changes to be undone", async () => {
    const own = project({ "a.txt": "one\n" });
    const turn = { threadId: "t", path: own.place.path, queries: ["q"] };
    // The turn of a process that is gone.
    await own.changes.before(turn, signal);
    const log = join(own.root, "../state/checkpoints/turns.jsonl");
    writeFileSync(log, readFileSync(log, "utf8").replace(/"process":"\d+ /, '"process":"999999 '));
    own.write("a.txt", "two\n");
    own.again();
    await own.turn(() => own.write("b.txt", "b\n"));
    await undo(own.changes, own.place, { scope: "turn" });
    expect(await undo(own.changes, own.place, { scope: "turn" })).toMatchObject({ ok: true });
    expect(own.read("a.txt")).toBe("one\n");
  });

  it("in the middle of an undo has it completed and recorded by the next one, and it can be redone", async () => {
    const own = project({ "a.txt": "one\n" });
    await own.turn(() => own.write("a.txt", "two\n"));
    // The log of the undo cannot be written, as if the host had ended right before.
    own.changes.log.change = () => Promise.reject(new Error("the host has ended"));
    await expect(undo(own.changes, own.place, { scope: "turn" })).rejects.toThrow("has ended");
    const journal = join(own.root, "../state/checkpoints/journal");
    const [name = ""] = readdirSync(journal);
    // The name has the process that does it.
    renameSync(join(journal, name), join(journal, name.replace(/~\d+_/, "~999999_")));
    own.again();
    expect(await recover(own.changes)).toEqual([
      'Neovim ended in the middle of taking back "query 1". It is complete now.',
    ]);
    expect(own.read("a.txt")).toBe("one\n");
    expect(await redo(own.changes, own.place)).toMatchObject({ ok: true });
    expect(own.read("a.txt")).toBe("two\n");
    expect(await recover(own.changes)).toEqual([]);
  });

  it("leaves nothing to complete if it was not in the middle of an undo", async () => {
    const own = project({ "a.txt": "one\n" });
    await own.turn(() => own.write("a.txt", "two\n"));
    expect(await recover(own.changes)).toEqual([]);
  });
});

it("says that a turn's checkpoint is no longer kept", async () => {
  const own = project({ "a.txt": "one\n" });
  await own.turn(() => own.write("a.txt", "two\n"));
  const log = join(own.root, "../state/checkpoints/turns.jsonl");
  const text = readFileSync(log, "utf8");
  writeFileSync(log, text.replace(/"before":"[0-9a-f]+"/, `"before":"${"0".repeat(39)}1"`));
  expect(await undo(own.changes, own.place, { scope: "turn" })).toMatchObject({
    ok: false,
    error: {
      message: "The project's files cannot be restored: the files of that time are no longer kept.",
    },
  });
});

itUnlessRoot("says why a project's changes are not recorded", async () => {
  const own = project({ "a.txt": "one\n" });
  chmodSync(own.root, 0);
  const turn = { threadId: "t", path: own.place.path, queries: ["q"] };
  await own.changes.before(turn, signal);
  const told = await own.changes.after(turn);
  chmodSync(own.root, 0o700);
  const text =
    "The files that Codex changes are not recorded here, so its changes cannot be taken back: the project cannot be read (EACCES).";
  expect(told).toEqual([{ type: "note", text, once: true }]);
});

it("says nothing about a project that is gone", async () => {
  const own = project({ "a.txt": "one\n" });
  await own.turn(() => {});
  const turn = { threadId: "t", path: own.place.path, queries: ["q"] };
  await own.changes.before(turn, signal);
  rmSync(own.root, { recursive: true });
  expect(await own.changes.after(turn)).toEqual([]);
});
