import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { AuditEntry } from "../audit/index.ts";
import { ok } from "../result.ts";
import { STOPPED } from "./failure.ts";
import { HostWatch } from "./host-watch.ts";

const place = { threadId: "t1", path: "/chats/a.md" };
const { signal } = new AbortController();

function watched() {
  const root = mkdtempSync(join(tmpdir(), "codex-chat-host-watch-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const entries: AuditEntry[] = [];
  const clock = { ms: Date.now() };
  let paths: readonly string[] = [];
  const watch = new HostWatch({
    root,
    paths: () => paths,
    audit: { record: (entry) => entries.push(entry), close: async () => {} },
    now: () => clock.ms,
  });
  return {
    watch,
    entries,
    clock,
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

it("tells of a change in the turn once, and records it with its thread", async () => {
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

it("tells apart what was changed after the last turn, whatever times the file has", async () => {
  const { watch, clock, write, touch } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write(".envrc");
  touch(".envrc");
  clock.ms = Date.now() + 5000;
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([told(".envrc", true)]);
});

it("says nothing of what was changed while nothing ran", async () => {
  const { watch, write } = watched();
  await watch.before(place, signal);
  await watch.after(place);
  write("justfile");
  expect(await watch.ended()).toEqual([told("justfile", true)]);
  write("Makefile");
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([]);
});

it("does not take another list of files for a change of them", async () => {
  const { watch, write, setPaths } = watched();
  write("deploy.sh");
  await watch.before(place, signal);
  await watch.after(place);
  setPaths(["deploy.sh"]);
  await watch.before(place, signal);
  expect(await watch.after(place)).toEqual([]);
});

it("ends when the turn is stopped before it began", async () => {
  const { watch } = watched();
  expect(await watch.before(place, AbortSignal.abort())).toEqual({ ok: false, error: STOPPED });
  expect(await watch.after(place)).toEqual([]);
});
