import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type FileVerdict,
  type ForeignText,
  openStore,
  type SaveProblem,
  type StoreOptions,
} from "./store.ts";

function atEnd(run: () => Promise<void>): void {
  onTestFinished(run);
}

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "codex-chat-store-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** An open store whose time passes only when the test says so. */
async function newStage(options: Partial<StoreOptions> = {}) {
  const path = options.path ?? join(await newDirectory(), "chats", "chat.md");
  const timers: { run: () => void; ms: number }[] = [];
  const problems: (SaveProblem | undefined)[] = [];
  const saved: number[] = [];
  const now = { text: "" };
  const opened = await openStore({
    path,
    read: () => now.text,
    onProblem: (problem) => problems.push(problem),
    onSaved: (revision) => saved.push(revision),
    later: (run, ms) => {
      const timer = { run, ms };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
    ...options,
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const store = opened.value;
  atEnd(() => store.close());
  return {
    path,
    store,
    timers,
    problems,
    saved,
    type: (text: string) => {
      now.text = text;
      return store.changed();
    },
    /** Lets the time of the next timer come and its write end. */
    tick: async () => {
      timers.shift()?.run();
      await store.flush();
    },
  };
}

describe("TranscriptStore", () => {
  it("writes the latest text well within a second of the first change", async () => {
    const stage = await newStage();
    stage.type("a");
    stage.type("ab");
    expect(stage.timers.map((timer) => timer.ms)).toEqual([400]);
    await stage.tick();
    expect(await readFile(stage.path, "utf8")).toBe("ab");
    expect(stage.saved).toEqual([2]);
  });

  it("writes again after a change during a write", async () => {
    const writes: string[] = [];
    let finish = (): void => undefined;
    const stage = await newStage({
      write: (_, text) => {
        writes.push(text);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    stage.type("a");
    stage.timers.shift()?.run();
    stage.type("b");
    expect(writes).toEqual(["a"]);
    const flushed = stage.store.flush();
    finish();
    await expect.poll(() => writes).toEqual(["a", "b"]);
    finish();
    expect(await flushed).toBe(true);
    expect(stage.saved).toEqual([1, 2]);
  });

  it("reports a problem once, retries ever more slowly, and says when it is over", async () => {
    let code: string | undefined = "ENOSPC";
    const stage = await newStage({
      write: async () => {
        if (code !== undefined) throw Object.assign(new Error(code), { code });
      },
    });
    stage.type("a");
    stage.timers.shift()?.run();
    await expect.poll(() => stage.timers.map((timer) => timer.ms)).toEqual([1000]);
    stage.timers.shift()?.run();
    await expect.poll(() => stage.timers.map((timer) => timer.ms)).toEqual([2000]);
    code = "EACCES";
    stage.timers.shift()?.run();
    await expect.poll(() => stage.timers.map((timer) => timer.ms)).toEqual([4000]);
    code = undefined;
    stage.timers.shift()?.run();
    await expect.poll(() => stage.problems.length).toBe(3);
    expect(stage.problems.map((problem) => problem?.code)).toEqual(["ENOSPC", "EACCES", undefined]);
    expect(stage.problems[0]?.message).toContain("the disk is full: free some space");
    expect(stage.saved).toEqual([1]);
  });

  it("survives that its directory is removed and created again", async () => {
    const stage = await newStage();
    const directory = join(stage.path, "..");
    await rename(directory, `${directory}.away`);
    stage.type("a");
    expect(await stage.store.flush()).toBe(false);
    expect(stage.problems[0]).toMatchObject({ code: "ENOENT" });
    await mkdir(directory);
    expect(await stage.store.flush()).toBe(true);
    expect(await readFile(stage.path, "utf8")).toBe("a");
  });

  it("writes the remaining changes when it is closed, and releases the lock", async () => {
    const stage = await newStage();
    stage.type("last words");
    await stage.store.close();
    await stage.store.close();
    expect(await readFile(stage.path, "utf8")).toBe("last words");
    expect(await readdir(join(stage.path, ".."))).toEqual(["chat.md"]);
    expect(stage.timers).toEqual([]);
  });

  it("refuses a file that another process writes", async () => {
    const stage = await newStage();
    const options = { path: stage.path, read: () => "", onProblem: () => undefined };
    expect(await openStore(options)).toMatchObject({ ok: false, error: { kind: "locked" } });
  });
});

describe("a file that another program changes", () => {
  /** A store with `text` in its file, as it wrote it. */
  async function written(text: string, options: Partial<StoreOptions> = {}) {
    const stage = await newStage(options);
    stage.type(text);
    await stage.tick();
    return stage;
  }

  it("is not replaced unless the user decides so", async () => {
    const stage = await written("mine\n");
    await writeFile(stage.path, "another's\n");
    stage.type("mine, too\n");
    await stage.tick();
    expect(await readFile(stage.path, "utf8")).toBe("another's\n");
    expect(stage.problems[0]).toMatchObject({ code: "EOTHER" });
  });

  it("is shown for a decision, and replaced or left accordingly", async () => {
    const found: ForeignText[] = [];
    const verdicts: FileVerdict[] = ["look", "leave", "replace"];
    const stage = await written("mine\n", {
      onOther: async (text) => {
        found.push(text);
        return verdicts[found.length - 1] ?? "replace";
      },
    });
    await writeFile(stage.path, "another's\n");
    await stage.store.check();
    expect(found.map(({ text, isUnsaved }) => [text, isUnsaved])).toEqual([
      ["another's\n", false],
      ["another's\n", false],
    ]);
    expect(await readFile(stage.path, "utf8")).toBe("another's\n");
    stage.type("mine, too\n");
    await stage.tick();
    expect(found.at(-1)).toMatchObject({ text: "another's\n", isUnsaved: true });
    expect(await readFile(stage.path, "utf8")).toBe("mine, too\n");
    expect(stage.problems).toEqual([]);
  });

  it("is left alone, with a message, if it keeps changing", async () => {
    const stage = await written("mine\n", { onOther: async () => "look" });
    await writeFile(stage.path, "another's\n");
    await stage.store.check();
    stage.type("mine, too\n");
    await stage.tick();
    expect(await readFile(stage.path, "utf8")).toBe("another's\n");
    expect(stage.problems[0]).toMatchObject({ code: "ECHANGED" });
  });

  it("is recognized if it has the same text, even as another file", async () => {
    const stage = await written("mine\n");
    await writeFile(`${stage.path}.new`, "mine\n");
    await rename(`${stage.path}.new`, stage.path);
    stage.type("mine, too\n");
    await stage.tick();
    expect(await readFile(stage.path, "utf8")).toBe("mine, too\n");
  });

  it("is not written if the text here has not changed after all", async () => {
    const stage = await written("mine\n");
    const { ino } = await stat(stage.path);
    stage.type("mine\n");
    await stage.tick();
    expect((await stat(stage.path)).ino).toBe(ino);
  });
});

describe("a conversation that is nearly emptied", () => {
  const answered = "---\na: 1\n---\n\n## You\n\nAsk.\n\n## Codex\n\nAnswer.\n\n## You\n\n";

  it.each([
    ["a deletion of the only answer", answered, "---\na: 1\n---\n\n## You\n\n", 0],
    ["a deletion of more than half", `${"x".repeat(600)}\ny\n`, "y\n", 0],
    ["a replacement by other text", `${"x".repeat(600)}\n`, `${"y".repeat(700)}\n`, 600],
  ])("%s is reported with the previous text", async (_name, before, after, deleted) => {
    const lost: string[] = [];
    const stage = await newStage({ onLoss: (text) => lost.push(text), deleted: () => deleted });
    stage.type(before);
    await stage.tick();
    stage.type(after);
    await stage.tick();
    expect(lost).toEqual([before]);
  });

  it.each([
    ["a short draft is deleted", "a draft\n", "\n", 8],
    ["an answer stays", answered, answered.replace("Ask.", ""), 4],
    ["text is moved", `${"x".repeat(600)}\nb\n`, `b\n${"x".repeat(600)}\n`, 600],
  ])("is not reported if %s", async (_name, before, after, deleted) => {
    const lost: string[] = [];
    const stage = await newStage({ onLoss: (text) => lost.push(text), deleted: () => deleted });
    stage.type(before);
    await stage.tick();
    stage.type(after);
    await stage.tick();
    expect(lost).toEqual([]);
  });
});
