import { execFileSync } from "node:child_process";
import fs, {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { must, never, RecordedProject } from "../../../test/support/recorded-project.ts";
import { itUnlessRoot } from "../../../test/support/root.ts";

/** A project with these files. */
function projectWith(
  files: Readonly<Record<string, string>>,
  options: ConstructorParameters<typeof RecordedProject>[0] = {},
): RecordedProject {
  const project = new RecordedProject(options);
  for (const [path, text] of Object.entries(files)) project.act({ do: "write", path, text });
  return project;
}

async function contentIn(project: RecordedProject, commit: string, path: string) {
  const shadow = await project.checkpoints.shadow();
  const oid = must(await shadow.tree(commit)).get(path)?.oid ?? "";
  return must(await shadow.read([oid]))
    .get(oid)
    ?.toString("latin1");
}

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

describe("a checkpoint", () => {
  it("has names of any bytes, and contents of any", async () => {
    const files = {
      "new\nline": "1",
      '"quoted"': "2",
      "back\\slash\\": "3",
      "\xff\xfe": "4",
      "-r": "5",
      " ": "6",
      ":(top)x": "7",
      "a\tb": "8",
      "CON.txt": "9",
      "x::$INDEX": "10",
      "git~1": "11",
      "\\056": "12",
      'M 100644 inline "x"': "13",
      done: "14",
      bin: "\0\xff\r\n",
      "d/\n": "16",
      'd/"': "17",
      ["__proto__"]: "18",
    };
    const project = projectWith(files);
    project.act({ do: "chmod", path: "__proto__", mode: 0o600 });
    const { commit, files: seen } = await project.take();
    expect(new Set(seen.keys())).toEqual(new Set(Object.keys(files)));
    const shadow = await project.checkpoints.shadow();
    const tree = must(await shadow.tree(commit));
    expect(new Set(tree.keys())).toEqual(new Set(Object.keys(files)));
    for (const [path, text] of Object.entries(files))
      expect(await contentIn(project, commit, path)).toBe(text);
    expect(must(await shadow.manifest(commit)).modes).toEqual(new Map([["__proto__", 0o600]]));
  });

  it("is the same one where nothing has changed, and with a cache the same for the next host", async () => {
    const project = projectWith({ a: "1", "d/b": "2" });
    const first = await project.take();
    expect((await project.take()).commit).toBe(first.commit);
    await project.checkpoints.close();
    const next = must(await project.open().take({ signal: never() }));
    expect(next.commit).toBe(first.commit);
    expect(next.files).toEqual(first.files);
  });

  it("is empty in an empty project, and needs no git there", async () => {
    const project = new RecordedProject();
    const { commit, files } = await project.take();
    expect(files.size).toBe(0);
    project.act({ do: "write", path: "a", text: "x" });
    const next = await project.take();
    expect((await project.compare({ commit }, next)).files.map(({ path }) => path)).toEqual(["a"]);
    expect(existsSync(join(project.root, ".git"))).toBe(false);
  });

  it("reads a file again that may have changed with the same times", async () => {
    const project = projectWith({ a: "one" });
    // Its times are too young to tell anything.
    expect((await project.take()).files.get("a")).toHaveProperty("state", undefined);
    writeFileSync(join(project.root, "a"), "two");
    expect(await contentIn(project, (await project.take()).commit, "a")).toBe("two");
  });

  it("does not read a file again whose state is the same, and does after any change", async () => {
    const project = projectWith({ a: "one" }, { bounds: { racyMs: -1000 } });
    const path = join(project.root, "a");
    const first = await project.take();
    expect(first.files.get("a")).toHaveProperty("state.size", 3);
    const again = await project.take();
    // The very same record, so it was not read.
    expect(again.files.get("a")).toBe(first.files.get("a"));
    writeFileSync(path, "two");
    utimesSync(path, new Date(0), new Date(0));
    expect(await contentIn(project, (await project.take()).commit, "a")).toBe("two");
  });

  it("records small directories that the ignore rules hide, and says which it does not", async () => {
    const rules = "*.log\nbuild/\nmodules/\n";
    const project = projectWith(
      { ".gitignore": rules, "x.log": "1", "build/a": "2", "build/sub/b": "3" },
      { bounds: { ignoredPerDir: 3 } },
    );
    for (let n = 0; n < 9; n += 1) writeFileSync(join(project.root, `x${n}`), "");
    for (let n = 0; n < 4; n += 1)
      project.act({ do: "write", path: `modules/${n}`, text: `module ${n}` });
    const { commit, files, missed } = await project.take();
    expect([...files.keys()]).toEqual(expect.arrayContaining(["x.log", "build/a", "build/sub/b"]));
    expect(missed).toEqual([{ path: "modules", why: "ignored" }]);
    const shadow = await project.checkpoints.shadow();
    expect(must(await shadow.manifest(commit)).ignored.sort()).toEqual(
      ["build/a", "build/sub/b", "x.log"].sort(),
    );
    project.act({ do: "write", path: ".gitignore", text: "modules/\n" });
    const next = await project.take();
    expect(must(await shadow.manifest(next.commit)).ignored).toEqual([]);
  });

  it("asks git again about a path that has become a directory", async () => {
    const project = projectWith({ ".gitignore": "out/\n", out: "a file" });
    expect((await project.take()).files.get("out")).toHaveProperty("isIgnored", false);
    project.act({ do: "remove", path: "out" });
    project.act({ do: "write", path: "out/a", text: "in a directory" });
    expect((await project.take()).files.get("out/a")).toHaveProperty("isIgnored", true);
  });

  it("leaves out directories that are not the project's, also where a link leads to them", async () => {
    const base = new RecordedProject();
    mkdirSync(join(base.root, "chats"));
    symlinkSync(join(base.root, "chats"), join(base.base, "history"));
    const options = { root: base.root, foreign: () => [join(base.base, "history")] };
    base.act({ do: "write", path: "chats/one.md", text: "a conversation" });
    base.act({ do: "write", path: "a", text: "1" });
    const taken = must(await base.open(options).take({ signal: never() }));
    expect([...taken.files.keys()]).toEqual(["a"]);
  });

  it("is refused with the reason where the project is gone, and works when it is back", async () => {
    const project = projectWith({ a: "1" });
    renameSync(project.root, `${project.root}.away`);
    const refused = await project.checkpoints.take({ signal: never() });
    expect(refused).toMatchObject({ ok: false, error: { kind: "failed" } });
    renameSync(`${project.root}.away`, project.root);
    expect((await project.take()).files.size).toBe(1);
  });

  it("that was stopped leaves nothing, and the next one is whole", async () => {
    const project = projectWith({ a: "1".repeat(100_000), b: "2" });
    const stop = new AbortController();
    const taking = project.checkpoints.take({ signal: stop.signal });
    stop.abort(new Error("stopped"));
    await expect(taking).rejects.toThrow("stopped");
    expect(await contentIn(project, (await project.take()).commit, "b")).toBe("2");
    expect(readdirSync(project.dir).filter((name) => name.includes("crash"))).toEqual([]);
  });

  it("reads all files again where the repository has lost what the last one named", async () => {
    const project = projectWith({ a: "1", b: "2" });
    await project.take();
    for (const name of readdirSync(join(project.dir, "objects")))
      if (/^[0-9a-f]{2}$/.test(name))
        rmSync(join(project.dir, "objects", name), { recursive: true });
    project.act({ do: "write", path: "c", text: "3" });
    const { commit } = await project.take();
    for (const [path, text] of Object.entries({ a: "1", b: "2", c: "3" }))
      expect(await contentIn(project, commit, path)).toBe(text);
  });
});

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

it("begins anew where its repository was removed", async () => {
  const project = projectWith({ a: "1" });
  await project.take();
  const { dir } = await project.checkpoints.shadow();
  rmSync(dir, { recursive: true });
  const one = await project.take();
  writeFileSync(join(project.root, "a"), "2");
  const other = await project.take();
  expect((await project.compare(one, other)).files).toMatchObject([{ path: "a" }]);
});

describe("what cannot be read", () => {
  itUnlessRoot("never counts as deleted", async () => {
    const project = projectWith({ a: "1", "d/b": "2", "e/c": "3" });
    const one = await project.take();
    chmodSync(join(project.root, "a"), 0o000);
    chmodSync(join(project.root, "d"), 0o000);
    chmodSync(join(project.root, "e"), 0o400);
    const other = await project.take();
    for (const path of ["a", "d", "e"]) chmodSync(join(project.root, path), 0o700);
    const set = await project.compare(one, other);
    expect(set.files).toEqual([]);
    expect([...set.unknown].sort()).toEqual(expect.arrayContaining(["a", "d/b", "e/c"]));
    expect(await project.change(await project.back(one, other))).toMatchObject({ done: [] });
  });
});
