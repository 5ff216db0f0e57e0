import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  contentIn,
  must,
  never,
  projectWith,
  RecordedProject,
} from "../../../test/support/recorded-project.ts";
import { itUnlessRoot } from "../../../test/support/root.ts";

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
