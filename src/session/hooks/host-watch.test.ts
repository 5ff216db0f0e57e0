import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AuditEntry } from "../../audit/entry.ts";
import { ok } from "../../result.ts";
import { STOPPED } from "../failure.ts";
import { HostWatch } from "./host-watch.ts";

const place = { threadId: "t1", path: "/chats/a.md" };
const { signal } = new AbortController();
const git = (cwd: string, ...args: string[]) => execFileSync("git", args, { cwd, stdio: "pipe" });

function watched(firstLookMs = 60_000) {
  const root = mkdtempSync(join(tmpdir(), "codex-chat-host-watch-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const entries: AuditEntry[] = [];
  let paths: readonly string[] = [];
  const watch = new HostWatch({
    root,
    paths: () => paths,
    audit: { record: (entry) => entries.push(entry), close: async () => {} },
    // Else the machine's speed decides.
    firstLookMs,
  });
  return {
    watch,
    root,
    entries,
    write: (path: string, text = "x") => writeFileSync(join(root, path), text),
    touch: (path: string) => utimesSync(join(root, path), 0, 0),
    setPaths: (all: readonly string[]) => {
      paths = all;
    },
  };
}

const told = (path: string, between: boolean) =>
  expect.objectContaining({
    type: "host_runs",
    between,
    groups: [expect.objectContaining({ files: [expect.objectContaining({ path })] })],
  });

it("reports a change in the turn once, and records it with its thread", async () => {
  const { watch, entries, write, touch } = watched();
  expect(await watch.before(place, signal)).toEqual(ok());
  write("Makefile");
  expect(await watch.after(place)).toEqual([told("Makefile", false)]);
  touch("Makefile");
  expect(await watch.before(place, signal)).toEqual(ok());
  expect(await watch.after(place)).toEqual([]);
  expect(entries).toEqual([
    {
      event: "protected_file",
      thread: "t1",
      path: "Makefile",
      change: "created",
      runs: "make runs it",
    },
  ]);
});

it("distinguishes changes after the last turn, whatever times the file has", async () => {
  const { watch, write, touch } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write(".envrc");
  touch(".envrc");
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([told(".envrc", true)]);
});

// Without it as of a project in which it would keep the turn waiting.
describe.each([
  ["with a look at its beginning", 60_000],
  ["judged by the kernel's times", 0],
])("a change belongs to the turn in which it happened, %s", (_, firstLookMs) => {
  /** A turn has been; files were changed since, and half a second later another one begins. */
  async function inSecondTurn(
    between: (root: string) => void,
    act: (root: string) => void,
  ): Promise<string[]> {
    const { watch, root } = watched(firstLookMs);
    git(root, "init", "-q", "sub");
    writeFileSync(join(root, "package.json"), '{"scripts":{"a":"b"}}');
    writeFileSync(join(root, "shell"), "x");
    mkdirSync(join(root, "staged/plugin/sub"), { recursive: true });
    writeFileSync(join(root, "staged/plugin/sub/x.lua"), "evil");
    mkdirSync(join(root, ".vscode"));
    for (const dir of [".vscode", "staged"]) writeFileSync(join(root, dir, "tasks.json"), dir);
    await watch.before(place, signal);
    await watch.after(place);
    between(root);
    await pause(500);
    await watch.before(place, signal);
    act(root);
    const events = await watch.after(place);
    return events.flatMap((event) =>
      !("type" in event) || event.type !== "host_runs"
        ? []
        : event.groups.flatMap(({ files }) =>
            files.map(({ path }) => `${path} ${event.between ? "between" : "in it"}`),
          ),
    );
  }
  const nothing = () => {};
  const write = (path: string, text: string) => (root: string) =>
    writeFileSync(join(root, path), text);
  const back = (path: string) => (root: string) =>
    execFileSync("touch", ["-d", "2001-01-01", join(root, path)]);
  const all =
    (...acts: ((root: string) => unknown)[]) =>
    (root: string) => {
      for (const act of acts) act(root);
    };
  const rename = (from: string, to: string) => (root: string) =>
    renameSync(join(root, from), join(root, to));

  it.concurrent.each<readonly [what: string, path: string, act: (root: string) => void]>([
    [
      "a repository's configuration in place",
      "sub/.git",
      write("sub/.git/config", "[core]\nx = y"),
    ],
    ["a hook of it in place", "sub/.git", write("sub/.git/hooks/pre-commit", "x")],
    [
      "its attributes in place, with the clock set back",
      "sub/.git",
      all(write("sub/.git/info/attributes", "x"), back("sub/.git/info/attributes")),
    ],
    ["parts of a file", "package.json", write("package.json", '{"scripts":{"a":"c"}}')],
    ["a link", "out", (root: string) => symlinkSync("/etc", join(root, "out"))],
    ["a program", "shell", (root: string) => chmodSync(join(root, "shell"), 0o755)],
    ["a directory that was renamed", "plugin/sub/x.lua", rename("staged/plugin", "plugin")],
    [
      "a directory that was renamed into another's place",
      ".vscode/tasks.json",
      all(rename(".vscode", "old"), rename("staged", ".vscode")),
    ],
    ["a file that was renamed", ".envrc", rename("staged/tasks.json", ".envrc")],
    ["a file whose clock is set back", ".envrc", all(write(".envrc", "x"), back(".envrc"))],
  ])("%s", async (_what, path, act) => {
    expect(await inSecondTurn(nothing, act)).toContain(`${path} in it`);
    expect(await inSecondTurn(act, nothing)).toContain(`${path} between`);
  });

  it.concurrent("one file between two turns, and another in the turn", async () => {
    const told = await inSecondTurn(write(".vscode/a.json", "x"), write("Makefile", "x"));
    expect(told.sort()).toEqual([".vscode/a.json between", "Makefile in it"]);
  });

  it.concurrent("no change that was undone in the turn", async () => {
    const undone = all(write("package.json", "{}"), write("package.json", '{"scripts":{"a":"b"}}'));
    expect(await inSecondTurn(nothing, undone)).toEqual([]);
  });
});

it("reports a file that was changed before and in a turn as both", async () => {
  const { watch, write } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write("Makefile", "one");
  await watch.before(place, signal);
  write("Makefile", "two");
  expect(await watch.after(place)).toEqual([told("Makefile", true), told("Makefile", false)]);
});

it.each([60_000, 0])(
  "reports nothing as changed between turns while another conversation's turn ran, %i",
  async (ms) => {
    const { watch, write } = watched(ms);
    const other = { threadId: "t2", path: "/chats/b.md" };
    await watch.before(place, signal);
    write("Makefile");
    await pause(500);
    await watch.before(other, signal);
    expect(await watch.after(other)).toEqual([told("Makefile", false)]);
    expect(await watch.after(place)).toEqual([]);
  },
);

it("reports changes found before a stopped turn with the next one", async () => {
  const { watch, write } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write("Makefile");
  await watch.before(place, signal);
  const stopped = { threadId: "t2", path: "/chats/b.md" };
  await watch.before(stopped, AbortSignal.abort());
  expect(await watch.after(place)).toEqual([told("Makefile", true)]);
});

it("does not report changes made while no sandbox ran", async () => {
  const { watch, write } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write("justfile");
  expect(await watch.ended()).toEqual([told("justfile", true)]);
  write("Makefile");
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([]);
});

it("does not mistake a changed list of files for changed files", async () => {
  const { watch, write, setPaths } = watched();
  write("deploy.sh");
  await watch.before(place, signal);
  await watch.after(place);
  setPaths(["deploy.sh"]);
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([]);
});

it("ends if the turn is stopped before it begins", async () => {
  const { watch } = watched();
  expect(await watch.before(place, AbortSignal.abort())).toEqual({ ok: false, error: STOPPED });
  expect(await watch.after(place)).toEqual([]);
});
