import { execFileSync } from "node:child_process";
import fs, {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  contentIn,
  must,
  never,
  projectWith,
  type RecordedProject,
} from "../../../test/support/recorded-project.ts";

/** The contents of all that git has ever stored there. */
function stored(project: RecordedProject): string {
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["--git-dir", project.dir, ...args], { encoding: "latin1" });
  const objects = git(
    "cat-file",
    "--batch-all-objects",
    "--batch-check=%(objectname) %(objecttype)",
  );
  const blobs = objects.split("\n").filter((line) => line.endsWith(" blob"));
  return blobs.map((line) => git("cat-file", "blob", line.split(" ")[0] ?? "")).join("\n");
}

describe("a hostile tree", () => {
  it("has no link followed, and nothing read but files", async () => {
    const project = projectWith({ a: "1", "d/b": "2" });
    writeFileSync(join(project.base, "secret"), "canary");
    project.act({ do: "link", path: "to-file", target: "../secret" });
    project.act({ do: "link", path: "to-dir", target: ".." });
    project.act({ do: "link", path: "loop", target: "loop" });
    project.act({ do: "link", path: "d/up", target: "." });
    execFileSync("mkfifo", [join(project.root, "pipe")]);
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(project.root, "socket"), done));
    onTestFinished(() => void server.close());
    const { files, missed } = await project.take();
    expect([...files.keys()].sort()).toEqual(["a", "d/b", "d/up", "loop", "to-dir", "to-file"]);
    expect(missed).toEqual([]);
    expect(stored(project)).not.toContain("canary");
  });

  it("has nothing read through a directory that becomes a link meanwhile", async () => {
    const project = projectWith({ "d/b": "mine", "d/e/b": "mine" });
    mkdirSync(join(project.base, "secret/e"), { recursive: true });
    for (const path of ["secret/b", "secret/e/b"])
      writeFileSync(join(project.base, path), "canary");
    const swap = () => {
      rmSync(join(project.root, "d"), { recursive: true });
      symlinkSync("../secret", join(project.root, "d"));
    };
    // Between the listing of a directory and the reading of its files.
    const shadow = await project.checkpoints.shadow();
    const { run } = shadow;
    let asked = 0;
    shadow.run = (what) => {
      // About the top, about `d`, and about `d/e`.
      if (!what.args.includes("check-ignore") || ++asked !== 3) return run.call(shadow, what);
      return run.call(shadow, what).finally(swap);
    };
    await project.checkpoints.take({ signal: never() });
    expect(asked).toBe(3);
    expect(stored(project)).not.toContain("canary");
  });

  it("has its repositories left alone, and none of their programs run", async () => {
    const project = projectWith({
      a: "1",
      ".gitattributes": "* filter=evil ident text eol=crlf\n",
    });
    const mark = join(project.base, "mark");
    const evil = join(project.base, "evil");
    writeFileSync(evil, `#!/bin/sh\ntouch ${mark}\ncat\n`, { mode: 0o755 });
    for (const dir of ["", "nested", "nested/deeper"]) {
      const at = join(project.root, dir);
      mkdirSync(at, { recursive: true });
      execFileSync("git", ["init", "-q", at]);
      for (const [key, value] of [
        ["core.fsmonitor", evil],
        ["filter.evil.clean", evil],
        ["filter.evil.process", evil],
        ["core.hooksPath", project.base],
        ["core.excludesFile", evil],
        ["core.attributesFile", evil],
        ["core.worktree", "/"],
      ])
        execFileSync("git", ["--git-dir", join(at, ".git"), "config", key ?? "", value ?? ""]);
      writeFileSync(join(at, "file.txt"), "line\r\n$Id$\n");
    }
    writeFileSync(join(project.root, ".git/info/exclude"), "file.txt\n");
    project.act({ do: "write", path: "worktree/.git", text: "gitdir: ../nested/.git\n" });
    project.act({ do: "write", path: "worktree/x", text: "x" });
    const config = readFileSync(join(project.root, ".git/config"), "utf8");
    const { commit, files } = await project.take();
    expect([...files.keys()].sort()).toEqual([
      ...[".gitattributes", "a", "file.txt", "nested/deeper/file.txt", "nested/file.txt"],
      "worktree/x",
    ]);
    expect(files.get("file.txt")).toHaveProperty("isIgnored", false);
    expect(await contentIn(project, commit, "nested/file.txt")).toBe("line\r\n$Id$\n");
    expect(existsSync(mark)).toBe(false);
    expect(readFileSync(join(project.root, ".git/config"), "utf8")).toBe(config);
  });

  it("is refused above its bounds, and works below them again", async () => {
    const project = projectWith({ a: "1", "d/b": "22", "d/c": "333" }, {});
    const refusal = async (bounds: Record<string, number>) => {
      const taken = await project.open({ bounds }).take({ signal: never() });
      return taken.ok ? undefined : taken.error;
    };
    expect(await refusal({ entries: 3 })).toMatchObject({
      kind: "too_large",
      message: "the project has more than 3 files",
    });
    expect(await refusal({ entries: 3, dirBytes: 0 })).toMatchObject({ kind: "too_large" });
    expect(await refusal({ bytes: 5 })).toMatchObject({ kind: "too_large" });
    expect(await refusal({ ms: -1000 })).toMatchObject({ kind: "too_large" });
    expect(await refusal({ entries: 4, bytes: 6, dirBytes: 0 })).toBeUndefined();
  });

  it("does not count a wide directory that the ignore rules hide", async () => {
    const project = projectWith(
      { ".gitignore": "cache/\n" },
      { bounds: { entries: 10, dirBytes: 0 } },
    );
    for (let n = 0; n < 50; n += 1) project.act({ do: "write", path: `cache/${n}`, text: "" });
    const { files, missed } = await project.take();
    expect(files.size).toBe(11 + 40);
    expect(missed).toEqual([]);
    const bounds = { entries: 10, dirBytes: 0, ignoredPerDir: 20 };
    const taken = must(await project.open({ bounds }).take({ signal: never() }));
    expect(taken.missed).toEqual([{ path: "cache", why: "ignored" }]);
  });

  it("has ignore rules that match for ever refused, and other work goes on meanwhile", async () => {
    const rules = `${"**/a/".repeat(30)}b\n`;
    const project = projectWith({ ".gitignore": rules }, { bounds: { ignoreMs: 1000 } });
    project.act({ do: "write", path: `${"a/".repeat(90)}c`, text: "x" });
    let turns = 0;
    const count = setInterval(() => (turns += 1), 10);
    const taken = await project.checkpoints.take({ signal: never() });
    clearInterval(count);
    expect(taken).toMatchObject({ ok: false, error: { kind: "failed" } });
    expect(turns).toBeGreaterThan(10);
  });

  it("has a large file left out, unread, and never taken for deleted", async () => {
    const project = projectWith({ grows: "small", a: "1" }, { bounds: { fileBytes: 100 } });
    const one = await project.take();
    writeFileSync(join(project.root, "grows"), "x".repeat(101));
    const other = await project.take();
    expect(other.missed).toMatchObject([{ path: "grows", why: "large" }]);
    const set = await project.compare(one, other);
    expect(set.files).toEqual([]);
    expect(set.unknown).toEqual(["grows"]);
    appendFileSync(join(project.root, "grows"), "more");
    const opened = vi.spyOn(fs, "openSync");
    syncBuiltinESMExports();
    onTestFinished(() => {
      opened.mockRestore();
      syncBuiltinESMExports();
    });
    const third = await project.take();
    expect(opened.mock.calls.filter(([path]) => String(path).endsWith("/grows"))).toEqual([]);
    expect(opened).toHaveBeenCalled();
    expect((await project.compare(other, third)).unknown).toEqual(["grows"]);
    expect((await project.compare(third, await project.take())).unknown).toEqual([]);
    expect(stored(project)).not.toContain("xxx");
  });

  it("has directories recorded up to a depth, and deeper ones not taken for deleted", async () => {
    const project = projectWith({ a: "1" }, { bounds: { depth: 5 } });
    const script = `cd "$1"; n=0; while [ $n -lt 200 ]; do mkdir d; cd -P d || exit 0; echo x > f; n=$((n+1)); done`;
    execFileSync("sh", ["-c", script, "sh", project.root], { stdio: "ignore" });
    const one = await project.take();
    expect(one.files.size).toBe(6);
    expect(one.missed).toEqual([{ path: "d/d/d/d/d/d", why: "deep" }]);
    execFileSync("rm", ["-rf", join(project.root, "d/d/d/d")]);
    project.act({ do: "write", path: "d/d/d/d/new", text: "1" });
    const set = await project.compare(one, await project.take());
    expect(set.files.map(({ path }) => path).sort()).toEqual([
      ...["d/d/d/d/d/f", "d/d/d/d/f", "d/d/d/d/new"],
    ]);
    expect(set.unknown).toEqual(["d/d/d/d/d/d"]);
  });

  it("has a pipe in the place of ignore rules refused at once", async () => {
    const project = projectWith({ a: "1" });
    execFileSync("mkfifo", [join(project.root, ".gitignore")]);
    const taken = await project.checkpoints.take({ signal: never() });
    expect(taken).toMatchObject({ ok: false, error: { kind: "failed" } });
    unlinkSync(join(project.root, ".gitignore"));
    expect((await project.take()).files.size).toBe(1);
  });

  it("has a link named .gitmodules left out: git refuses a tree with one", async () => {
    const project = projectWith({ a: "1" });
    project.act({ do: "link", path: "d/.GitModules", target: "x" });
    const { missed, files } = await project.take();
    expect(missed).toMatchObject([{ path: "d/.GitModules", why: "unreadable" }]);
    expect([...files.keys()]).toEqual(["a"]);
  });
});
