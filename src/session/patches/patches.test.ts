import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { FileUpdateChange } from "../../codex/messages/index.ts";
import { silentLog } from "../../log.ts";
import { listChanges, ProjectChanges, recover, undo } from "../changes/index.ts";
import { applyEdited } from "./apply.ts";
import { propose } from "./propose.ts";
import { toldText } from "./told.ts";

const signal = new AbortController().signal;
const made: string[] = [];

afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A project in which a turn runs, and its files. */
async function project(files: Readonly<Record<string, string | Buffer>> = {}) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "codex-chat-patches-")));
  made.push(base);
  const root = join(base, "project");
  mkdirSync(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), text);
    if (name.endsWith(".sh")) chmodSync(join(root, name), 0o750);
  }
  const open = () =>
    new ProjectChanges({
      ...{ root, projectDir: join(base, "state"), env: { HOME: base }, log: silentLog },
      foreign: () => [],
    });
  const changes = open();
  const chat = { path: "/chats/a.md", threadId: "t", text: "" };
  const turn = { threadId: "t", path: chat.path, queries: ["a query"] };
  await changes.before(turn, signal);
  await changes.ready(turn);
  const closed = new Set<string>();
  const place = { changes, mayWrite: (path: string) => !closed.has(path) };
  const at = (name: string) => join(root, name);
  return {
    ...{ root, changes, place, at, closed, chat, open },
    read: (name: string) => readFileSync(at(name), "utf8"),
    end: () => changes.after(turn),
    async show(...asked: readonly FileUpdateChange[]) {
      const proposal = await propose(place, asked);
      if (!proposal.ok) throw new Error(proposal.error.message);
      return proposal.value;
    },
    /** Proposes a patch and applies it with these files as the user has changed them. */
    async apply(
      asked: readonly FileUpdateChange[],
      edits: Readonly<Record<string, string | undefined>>,
      meanwhile = () => {},
    ) {
      const { left, proposed, files } = await this.show(...asked);
      meanwhile();
      const edited = Object.entries(edits).map(([name, text]) => {
        const old = files.find(({ path }) => path === at(name))?.old;
        return {
          path: at(name),
          ...(old === undefined ? {} : { old }),
          ...(text === undefined ? {} : { text: Buffer.from(text).toString("base64") }),
        };
      });
      return applyEdited(place, { left, proposed, files: edited });
    },
    update: (name: string, diff: string, move?: string): FileUpdateChange => ({
      path: at(name),
      kind: { type: "update", move_path: move === undefined ? null : at(move) },
      diff,
    }),
    add: (name: string, diff: string): FileUpdateChange => ({
      ...{ path: at(name), kind: { type: "add" }, diff },
    }),
    remove: (name: string, diff: string): FileUpdateChange => ({
      ...{ path: at(name), kind: { type: "delete" }, diff },
    }),
  };
}

const textAt = (path: string | undefined) =>
  path === undefined ? undefined : readFileSync(path, "utf8");

const HUNK = "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";

describe("a patch that waits", () => {
  it("shows each file as it is and as it would be, and changes none", async () => {
    const own = await project({
      "a.txt": "one\ntwo\nthree\n",
      "crlf.txt": "one\r\ntwo\r\nthree",
      "gone.bin": Buffer.from([0, 1]),
      "src/from.txt": "one\ntwo\nthree\n",
    });
    const proposal = await own.show(
      own.update("a.txt", HUNK),
      own.update("crlf.txt", "@@ -2,2 +2,2 @@\n two\r\n-three\n\\ No newline at end of file\n+3\n"),
      own.add("new/dir/b.txt", "b\n"),
      own.remove("gone.bin", "?"),
      own.update("src/from.txt", HUNK, "src/to.txt"),
    );
    expect(
      proposal.files.map(({ path, old, change, before, after, why }) => [
        path.slice(own.root.length + 1),
        old?.slice(own.root.length + 1),
        ...[change, textAt(before), textAt(after), why],
      ]),
    ).toEqual([
      ["a.txt", undefined, "changed", "one\ntwo\nthree\n", "one\nTWO\nthree\n", undefined],
      ["crlf.txt", undefined, "changed", "one\r\ntwo\r\nthree", "one\r\ntwo\r\n3\n", undefined],
      ["new/dir/b.txt", undefined, "created", undefined, "b\n", undefined],
      ["gone.bin", undefined, "deleted", "\0\u0001", undefined, undefined],
      [
        "src/to.txt",
        "src/from.txt",
        "renamed",
        "one\ntwo\nthree\n",
        "one\nTWO\nthree\n",
        undefined,
      ],
    ]);
    expect(own.read("a.txt")).toBe("one\ntwo\nthree\n");
    expect(readdirSync(own.root).sort()).toEqual(["a.txt", "crlf.txt", "gone.bin", "src"]);
  });

  it("says why the new text of a file is not known", async () => {
    const own = await project({
      "a.txt": "one\ntwo\nthree\n",
      "moved.txt": "0\none\ntwo\nthree\n",
      "latin.txt": Buffer.from("caf\xe9\n", "latin1"),
      "big.txt": "x".repeat(3 * 1024 ** 2),
      "huge.txt": "x".repeat(11 * 1024 ** 2),
      "closed.txt": "one\ntwo\nthree\n",
    });
    const outside = join(own.root, "..", "outside.txt");
    writeFileSync(outside, "one\ntwo\nthree\n");
    symlinkSync(outside, own.at("link.txt"));
    symlinkSync("..", own.at("links"));
    mkdirSync(own.at("dir"));
    execFileSync("mkfifo", [own.at("pipe")]);
    own.closed.add(own.at("closed.txt"));
    const cases: readonly (readonly [FileUpdateChange, string])[] = [
      [{ ...own.update("a.txt", HUNK), path: outside }, "it lies outside of the project"],
      [{ ...own.add("x", "x"), path: `${own.root}/../x` }, "it lies outside of the project"],
      [own.update("a.txt", HUNK, "../b.txt"), "it lies outside of the project"],
      [own.add(".git/hooks/post-checkout", "x"), "it is part of a git repository"],
      [own.add("sub/.GIT/config", "x"), "it is part of a git repository"],
      [own.update("closed.txt", HUNK), "it is read-only for Codex"],
      [own.update("a.txt", HUNK, "closed.txt"), "it is read-only for Codex"],
      [own.update("link.txt", HUNK), "it is a link"],
      [own.update("links/outside.txt", HUNK), "a link or a file lies in its way"],
      [own.add("a.txt/b.txt", "x"), "a link or a file lies in its way"],
      [own.add("pipe", "x"), "it is not a plain file"],
      [own.update("pipe", HUNK), "it is not a plain file"],
      [own.add("dir", "x"), "it is not a plain file"],
      [own.update("none.txt", HUNK), "it is not there"],
      [own.update("a.txt", HUNK, "latin.txt"), "another file has its new name"],
      [own.update("latin.txt", "@@ -1 +1 @@\n-caf\ufffd\n+x\n"), "it is not text in UTF-8"],
      [own.update("big.txt", HUNK), "it is too large"],
      [own.update("huge.txt", HUNK), "it is too large to be recorded"],
      [own.update("moved.txt", HUNK), "the patch does not fit it: it was changed since"],
      [
        { path: own.at("a.txt"), kind: { type: "unknown" }, diff: "" },
        "Codex does not say how it changes",
      ],
    ];
    for (const [change, why] of cases) {
      const { left, proposed, files } = await own.show(change);
      expect([change.path, files[0]?.why]).toEqual([change.path, why]);
      expect(files[0]?.after).toBeUndefined();
      expect(proposed).toBe(left);
    }
    const twice = await own.show(own.update("a.txt", HUNK), own.remove("a.txt", ""));
    expect(twice.files.map(({ why }) => why)).toEqual(Array(2).fill("the patch names it twice"));
  });
});

describe("a patch of many large files", () => {
  it("is not read beyond a bound", async () => {
    const names = Array.from({ length: 8 }, (_, index) => `${index}.txt`);
    // Each has another content.
    const text = (name: string) => `${name}\n`.padEnd(5 * 1024 ** 2, "x");
    const own = await project(Object.fromEntries(names.map((name) => [name, text(name)])));
    const { files, left, proposed } = await own.show(
      ...names.map((name) => own.update(name, HUNK)),
    );
    expect(files.filter(({ why }) => why === "it is too large")).toHaveLength(4);
    expect(files.filter(({ why }) => why === "it and the others are too large")).toHaveLength(4);
    expect(files.filter(({ before }) => before !== undefined)).toHaveLength(4);
    expect(proposed).toBe(left);
  });
});

describe("a patch that the user has changed", () => {
  it("is applied as it stands there, and undone with its turn", async () => {
    const own = await project({
      "a.txt": "one\ntwo\nthree\n",
      "gone.txt": "gone\n",
      "kept.txt": "one\ntwo\nthree\n",
      "run.sh": "#!/bin/sh\n",
    });
    const before = await own.changes.now();
    const applied = await own.apply(
      [
        own.update("a.txt", HUNK),
        own.add("b.txt", "b\n"),
        own.remove("gone.txt", "gone\n"),
        own.update("kept.txt", HUNK),
        own.update("run.sh", "@@ -1 +1,2 @@\n #!/bin/sh\n+echo\n"),
      ],
      { "a.txt": "one\nmine\nthree", "kept.txt": undefined, "run.sh": "#!/bin/sh\nexit 1\n" },
    );
    expect(applied).toMatchObject({ ok: true, value: { conflicts: [] } });
    expect(own.read("a.txt")).toBe("one\nmine\nthree");
    expect(own.read("b.txt")).toBe("b\n");
    expect(own.read("kept.txt")).toBe("one\ntwo\nthree\n");
    expect(own.read("run.sh")).toBe("#!/bin/sh\nexit 1\n");
    expect(statSync(own.at("run.sh")).mode & 0o777).toBe(0o750);
    expect(readdirSync(own.root).sort()).toEqual(["a.txt", "b.txt", "kept.txt", "run.sh"]);
    await own.end();
    // It is the user's own text: nothing in it waits to be reviewed.
    const listed = await listChanges(own.changes, own.chat, { since: "all", quick: false });
    expect(listed).toMatchObject({ ok: true, value: { files: [] } });
    expect(await undo(own.changes, own.chat, { scope: "turn" })).toMatchObject({ ok: true });
    const after = await own.changes.now();
    if (!before.ok || !after.ok) throw new Error("no checkpoint");
    const rest = await own.changes.compare(before.value.commit, after.value.commit);
    expect(rest).toMatchObject({ ok: true, value: { files: [] } });
  });

  it("is merged with later changes of the files, and writes nothing if they conflict", async () => {
    const own = await project({ "a.txt": "one\ntwo\nthree\n4\n5\n6\n", "b.txt": "b\n" });
    const write = (text: string) => () => writeFileSync(own.at("a.txt"), text);
    const patch = [own.update("a.txt", HUNK), own.update("b.txt", "@@ -1 +1 @@\n-b\n+B\n")];
    const refused = await own.apply(
      patch,
      { "a.txt": "one\nmine\nthree\n4\n5\n6\n" },
      write("one\nsince\nthree\n4\n5\n6\n"),
    );
    expect(refused).toMatchObject({ ok: false, error: { kind: "changed" } });
    expect([own.read("a.txt"), own.read("b.txt")]).toEqual(["one\nsince\nthree\n4\n5\n6\n", "b\n"]);

    write("one\ntwo\nthree\n4\n5\n6\n")();
    const applied = await own.apply(
      patch,
      { "a.txt": "one\nmine\nthree\n4\n5\n6\n" },
      write("one\ntwo\nthree\n4\n5\nsince\n"),
    );
    expect(applied.ok).toBe(true);
    expect(own.read("a.txt")).toBe("one\nmine\nthree\n4\n5\nsince\n");
    expect(own.read("b.txt")).toBe("B\n");
  });

  it("moves a file, or leaves it where it is", async () => {
    const own = await project({ "a.txt": "one\ntwo\nthree\n" });
    const patch = [own.update("a.txt", HUNK, "b.txt")];
    expect(await own.apply(patch, { "b.txt": undefined })).toMatchObject({
      error: { kind: "nothing" },
    });
    expect((await own.apply(patch, { "b.txt": "mine\n" })).ok).toBe(true);
    expect(readdirSync(own.root)).toEqual(["b.txt"]);
    expect(own.read("b.txt")).toBe("mine\n");
  });

  it("is completed by the next host if one dies in the middle", async () => {
    const own = await project({ "a.txt": "one\ntwo\nthree\n" });
    // It cannot be recorded, as if the host had ended right before.
    own.changes.log.settle = () => Promise.reject(new Error("the host has ended"));
    await expect(own.apply([own.update("a.txt", HUNK)], { "a.txt": "mine\n" })).rejects.toThrow(
      "has ended",
    );
    const journal = join(own.root, "../state/checkpoints/journal");
    const [name = ""] = readdirSync(journal);
    // The name has the process that does it.
    renameSync(join(journal, name), join(journal, name.replace(/~\d+_/, "~999999_")));
    const next = own.open();
    expect(await recover(next)).toEqual([
      "Neovim ended in the middle of applying a patch as you changed it. It is complete now.",
    ]);
    expect(own.read("a.txt")).toBe("mine\n");
    await own.end();
    const listed = await listChanges(next, own.chat, { since: "all", quick: false });
    expect(listed).toMatchObject({ ok: true, value: { files: [] } });
  });

  it("follows no link, and writes no file that became read-only after it was shown", async () => {
    const own = await project({ "dir/a.txt": "one\ntwo\nthree\n", "b.txt": "one\ntwo\nthree\n" });
    const outside = join(own.root, "..", "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "a.txt"), "one\ntwo\nthree\n");
    const swapped = await own.apply([own.update("dir/a.txt", HUNK)], { "dir/a.txt": "x\n" }, () => {
      rmSync(own.at("dir"), { recursive: true });
      symlinkSync(outside, own.at("dir"));
    });
    expect(swapped.ok).toBe(false);
    expect(readFileSync(join(outside, "a.txt"), "utf8")).toBe("one\ntwo\nthree\n");
    const closed = await own.apply([own.update("b.txt", HUNK)], { "b.txt": "x\n" }, () => {
      own.closed.add(own.at("b.txt"));
    });
    expect(closed).toMatchObject({
      ok: false,
      error: { message: /b\.txt is read-only for Codex/ },
    });
    expect(own.read("b.txt")).toBe("one\ntwo\nthree\n");
  });

  it("is reported to Codex before its next turn if its own turn is over", async () => {
    const { changes } = await project();
    changes.tellLater("t", "the diff");
    expect([changes.news("t"), changes.news("other")]).toEqual(["the diff", undefined]);
    changes.newsTaken("t");
    expect(changes.news("t")).toBeUndefined();
  });

  it("is reported to Codex as the diff of what was applied", async () => {
    const own = await project({ "a.txt": "one\ntwo\nthree\n", "gone.txt": "```\n" });
    const applied = await own.apply(
      [own.update("a.txt", HUNK), own.add("b.txt", "b\n"), own.remove("gone.txt", "```\n")],
      { "a.txt": "one\nmine\nthree\n" },
    );
    if (!applied.ok) throw new Error(applied.error.message);
    expect(toldText(applied.value.changes, own.root)).toBe(
      `The user changed your patch and applied it in that form, in the place of yours. These files are changed: "a.txt", "b.txt", "gone.txt". Do not apply your patch again; go on from the files as they are now. This is what was applied:

\`\`\`\`diff
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
 one
-two
+mine
 three
--- /dev/null
+++ b/b.txt
@@ -0,0 +1,1 @@
+b
--- a/gone.txt
+++ /dev/null
@@ -1,1 +0,0 @@
-\`\`\`
\`\`\`\``,
    );
  });
});
