import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { type Conversation, type Shared, SLOW, share, WAIT } from "../support.ts";

/** The file in which Codex keeps a thread. */
function rolloutOf(chat: Conversation, thread: string): string {
  const sessions = join(chat.projectDir, "codex-home", "sessions");
  const found = readdirSync(sessions, { recursive: true })
    .map(String)
    .find((path) => path.includes(thread) && path.endsWith(".jsonl"));
  if (found === undefined) throw new Error(`no rollout of ${thread}`);
  return join(sessions, found);
}

async function threadOf(chat: Conversation): Promise<string> {
  return /^thread: (\S+)$/m.exec(await chat.text())?.[1] ?? "";
}

/** What may have become of the file; as root one that may not be read is read all the same. */
const damages: Readonly<Record<string, (file: string) => void>> = {
  "is empty": (file) => truncateSync(file, 0),
  "ends in its first line": (file) => truncateSync(file, 100),
  "ends in the middle of a line": (file) =>
    truncateSync(file, Math.floor(statSync(file).size * 0.6)),
  "is missing": (file) => rmSync(file),
  "is not text": (file) =>
    writeFileSync(file, Buffer.from(Array.from({ length: 999 }, (_, n) => n * 7))),
  "is text of another kind": (file) => writeFileSync(file, "hello\nworld\n"),
  "is all zeros": (file) => writeFileSync(file, Buffer.alloc(5000)),
  "is a directory": (file) => {
    rmSync(file);
    mkdirSync(file);
  },
  "may not be read": (file) => chmodSync(file, 0),
  "is of another version": (file) =>
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace(/^.+$/gm, (line) => JSON.stringify({ v: 2, data: line })),
    ),
  "has a broken line": (file) =>
    writeFileSync(file, readFileSync(file, "utf8").replace(/\n\{/, "\n{broken ")),
};

const names = Object.keys(damages);

describe("a conversation whose thread Codex cannot read", SLOW, () => {
  const shared = share({ git: false });
  const paths = new Map<string, string>();
  beforeEach(async () => {
    const { chat, model } = shared();
    model.answer((request) => reply(message(`Answer to: ${request.lastUserText()}`)));
    if (paths.size > 0) return;
    const files = new Map<string, string>();
    for (const what of [...names, "fork", "revert", "compact", "review"]) {
      await chat.startAnew();
      await chat.ask(`My name is Ada, and it ${what}.`);
      // The others need no second turn.
      if (what === "revert" || what === "ends in the middle of a line") await chat.ask("Good.");
      await chat.untilSaved();
      paths.set(what, await chat.path());
      files.set(what, rolloutOf(chat, await threadOf(chat)));
    }
    await chat.command("sandbox stop");
    for (const [what, file] of files) (damages[what] ?? ((path) => truncateSync(path, 0)))(file);
  });

  async function open({ chat }: Shared, what: string): Promise<void> {
    await chat.adopt(async () => {
      await chat.nvim.lua("vim.cmd.edit(vim.fn.fnameescape(...))", paths.get(what));
    });
  }

  it.each(names)("continues if its file %s, and Codex knows what was said", async (what) => {
    const { chat, model } = shared();
    await open(shared(), what);
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    const request = model.requests.at(-1);
    expect(request?.contains(`My name is Ada, and it ${what}.`)).toBe(true);
    expect(request?.userTexts().filter((text) => text === "What is my name?")).toHaveLength(1);
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains(`My name is Ada, and it ${what}.`)).toBe(true);
    expect(model.requests.at(-1)?.contains("What is my name?")).toBe(true);
  });

  it("gives the reason, without the paths of Codex's directories", async () => {
    const { chat } = shared();
    await chat.nvim.lua("vim.cmd.edit(vim.fn.fnameescape(...))", paths.get("is empty"));
    const text = (await chat.nvim.lines(await chat.nvim.buf())).join("\n");
    expect(text).toMatch(
      /\n> \*\*Note:\*\* The thread of this conversation cannot be used any more: .*rollout-\S+\.jsonl is empty\. It goes on in a new thread, which is given the text above\.\n/,
    );
    expect(text).not.toContain("codex-home");
  });

  it("can be forked by its text", async () => {
    const { chat, model } = shared();
    await open(shared(), "fork");
    await chat.adopt("fork");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains("My name is Ada, and it fork.")).toBe(true);
  });

  it("can be reverted by its text", async () => {
    const { chat, model } = shared();
    await open(shared(), "revert");
    await chat.nvim.lua(
      `vim.ui.select = function(items, _, done) vim.schedule(function() done(items[1]) end) end
       vim.fn.cursor(vim.fn.search("^My name is Ada", "w"), 1)`,
    );
    await chat.command("revert");
    await expect.poll(() => chat.text(), WAIT).not.toContain("Answer to: Good.");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains("My name is Ada, and it revert.")).toBe(true);
    expect(model.requests.at(-1)?.contains("Good.")).toBe(false);
  });

  it("needs no compaction", async () => {
    const { chat, model } = shared();
    await open(shared(), "compact");
    await chat.command("compact");
    expect((await chat.waitForTurnEnd()).failure?.message).toContain("nothing to compact");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains("My name is Ada, and it compact.")).toBe(true);
  });

  it("can be reviewed, and then continues", async () => {
    const { chat, model } = shared();
    await open(shared(), "review");
    await chat.command("review custom Look at it.");
    expect((await chat.waitForTurnEnd()).status).toBe("completed");
    expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.contains("My name is Ada, and it review.")).toBe(true);
  });
});

/** Codex's own files, all of them: what becomes of them, and whether the user has to help. */
const homes: readonly [what: string, damage: (home: string) => void, needsHelp: boolean][] = [
  [
    "has invalid databases",
    (home) => eachDatabase(home, (database) => writeFileSync(database, "x")),
    false,
  ],
  [
    "has empty databases",
    (home) => eachDatabase(home, (database) => truncateSync(database, 0)),
    false,
  ],
  [
    "is empty",
    (home) => {
      for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true });
    },
    false,
  ],
  [
    "has directories in place of databases",
    (home) =>
      eachDatabase(home, (database) => {
        rmSync(database);
        mkdirSync(database);
      }),
    true,
  ],
  [
    "has a file in place of its locks",
    (home) => {
      rmSync(join(home, "thread-writer-locks"), { recursive: true, force: true });
      writeFileSync(join(home, "thread-writer-locks"), "x");
    },
    true,
  ],
];

function eachDatabase(home: string, damage: (file: string) => void): void {
  for (const name of readdirSync(home)) {
    if (name.endsWith(".sqlite")) damage(join(home, name));
    else if (name.includes(".sqlite")) rmSync(join(home, name));
  }
}

describe("a conversation whose CODEX_HOME is damaged", SLOW, () => {
  const shared = share({ git: false });

  it.each(homes)("continues if its directory %s", async (_what, damage, needsHelp) => {
    const { chat, model } = shared();
    model.answer((request) => reply(message(`Answer to: ${request.lastUserText()}`)));
    await chat.startAnew();
    expect(await chat.ask("My name is Ada.")).toEqual({ status: "completed" });
    await chat.command("sandbox stop");
    await expect.poll(() => shared().place.containers(), WAIT).toEqual([]);
    const home = join(chat.projectDir, "codex-home");
    damage(home);
    if (needsHelp) {
      const end = await chat.ask("What is my name?");
      expect(end.status).toBe("failed");
      expect(end.failure?.fix).toContain(`:CodexChat sandbox stop, move ${home} to another place`);
      // The advice is followed.
      await chat.command("sandbox stop");
      await expect.poll(() => shared().place.containers(), WAIT).toEqual([]);
      renameSync(home, `${home}.old`);
      await chat.command("retry");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      rmSync(`${home}.old`, { recursive: true });
    } else expect(await chat.ask("What is my name?")).toEqual({ status: "completed" });
    const request = model.requests.at(-1);
    expect(request?.contains("My name is Ada.")).toBe(true);
    expect(request?.userTexts().filter((text) => text === "What is my name?")).toHaveLength(1);
  });
});
