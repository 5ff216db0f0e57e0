import fs, { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { must, never, RecordedProject, treeOf } from "../../../test/support/recorded-project.ts";

type Writer = "linkSync" | "renameSync" | "unlinkSync" | "symlinkSync";

/** Has something happen in the last moment before the host does this to a file in a project. */
function justBefore(
  writer: Writer,
  isMeant: (...paths: readonly string[]) => boolean,
  run: () => void,
) {
  const real = fs[writer] as (...args: unknown[]) => unknown;
  let isOver = false;
  const replace = (by: unknown) => {
    Object.assign(fs, { [writer]: by });
    syncBuiltinESMExports();
  };
  replace((...args: unknown[]) => {
    if (!isOver && isMeant(...args.map(String))) {
      isOver = true;
      run();
    }
    return real(...args);
  });
  onTestFinished(() => {
    replace(real);
    expect(isOver).toBe(true);
  });
}

const isDraft = (path: string) => /\/\.codex-chat-[^/]*-\d+$/.test(path);
const isAside = (path: string) => path.endsWith(".old");
const isNamed = (name: string) => (path: string) => path.endsWith(`/${name}`);

/** A project after a turn that has done this. */
async function turn(first: Record<string, string>, agent: (project: RecordedProject) => void) {
  const project = new RecordedProject();
  for (const [path, text] of Object.entries(first)) project.act({ do: "write", path, text });
  const one = await project.take();
  agent(project);
  const back = await project.back(one, await project.take());
  return { project, back, at: (path: string) => join(project.root, path) };
}

describe("what somebody writes in the moment of an undo", () => {
  it("wins over the file that was to replace it", async () => {
    const { project, back, at } = await turn({ a: "one\n" }, (agent) =>
      agent.act({ do: "write", path: "a", text: "two\n" }),
    );
    justBefore(
      "renameSync",
      (from = "", to = "") => isDraft(from) && isNamed("a")(to),
      () => appendFileSync(at("a"), "mine\n"),
    );
    const { conflicts } = await project.change(back);
    expect(conflicts).toMatchObject([{ path: "a", why: "just_now" }]);
    expect(project.tree()).toEqual({ a: "644 two\nmine\n" });
  });

  it("is not removed with the file that was to go", async () => {
    const { project, back, at } = await turn({}, (agent) =>
      agent.act({ do: "write", path: "a", text: "two\n" }),
    );
    justBefore(
      "renameSync",
      (_from = "", to = "") => isAside(to),
      () => appendFileSync(at("a"), "mine\n"),
    );
    const { conflicts } = await project.change(back);
    expect(conflicts).toMatchObject([{ path: "a", why: "just_now" }]);
    expect(project.tree()).toEqual({ a: "644 two\nmine\n" });
  });

  it("has its name, and not the file that was to be made", async () => {
    const { project, back, at } = await turn({ a: "one\n" }, (agent) =>
      agent.act({ do: "remove", path: "a" }),
    );
    justBefore(
      "linkSync",
      (from = "", to = "") => isDraft(from) && isNamed("a")(to),
      () => writeFileSync(at("a"), "mine\n"),
    );
    const { conflicts } = await project.change(back);
    expect(conflicts).toMatchObject([{ path: "a", why: "just_now" }]);
    expect(project.tree()).toEqual({ a: "644 mine\n" });
  });

  it("keeps the other name of a file that cannot have its old one", async () => {
    const { project, back, at } = await turn({ a: "a\nb\nc\nd\n" }, (agent) =>
      agent.act({ do: "rename", path: "a", to: "b" }),
    );
    justBefore(
      "linkSync",
      (from = "", to = "") => isDraft(from) && isNamed("a")(to),
      () => mkdirSync(at("a")),
    );
    const { conflicts, done } = await project.change(back);
    expect(conflicts.map(({ path }) => path).sort()).toEqual(["a", "b"]);
    expect(done).toEqual([]);
    expect(project.tree()).toEqual({ a: "directory", b: "644 a\nb\nc\nd\n" });
  });

  it("has nothing written outside through a directory that has become a link", async () => {
    const { project, back, at } = await turn(
      { a: "one\n", "d/x": "one\n", "d/y": "1", "d/e/x": "one\n" },
      (agent) => {
        agent.act({ do: "write", path: "d/e/x", text: "two\n" });
        agent.act({ do: "write", path: "a", text: "two\n" });
        agent.act({ do: "write", path: "d/x", text: "two\n" });
        agent.act({ do: "remove", path: "d/y" });
        agent.act({ do: "write", path: "d/z", text: "two\n" });
      },
    );
    const outside = join(project.base, "outside");
    mkdirSync(join(outside, "e"), { recursive: true });
    writeFileSync(join(outside, "e/x"), "two\n");
    writeFileSync(join(outside, "x"), "two\n");
    writeFileSync(join(outside, "z"), "two\n");
    justBefore(
      "renameSync",
      (from = "", to = "") => isDraft(from) && isNamed("a")(to),
      () => {
        renameSync(at("d"), at("moved"));
        symlinkSync(outside, at("d"));
      },
    );
    const { conflicts } = await project.change(back);
    expect(conflicts.map(({ path }) => path).sort()).toEqual(["d/e/x", "d/x", "d/y"]);
    expect(treeOf(outside)).toEqual({
      ...{ e: "directory", "e/x": "644 two\n", x: "644 two\n", z: "644 two\n" },
    });
    expect(project.tree()).toMatchObject({ a: "644 one\n", "moved/x": "644 two\n" });
  });

  it("has a file written whole into a directory that is moved meanwhile, and nothing else", async () => {
    const { project, back, at } = await turn({ "d/x": "one\n" }, (agent) =>
      agent.act({ do: "write", path: "d/x", text: "two\n" }),
    );
    justBefore(
      "renameSync",
      (from = "", to = "") => isDraft(from) && isNamed("x")(to),
      () => {
        renameSync(at("d"), at("moved"));
        mkdirSync(at("d"));
        writeFileSync(at("d/x"), "mine\n");
      },
    );
    await project.change(back);
    expect(project.tree()).toEqual({
      ...{ d: "directory", "d/x": "644 mine\n" },
      ...{ moved: "directory", "moved/x": "644 one\n" },
    });
  });
});

describe("an undo", () => {
  it("leaves a file alone that is named like the files that it writes", async () => {
    const name = ".codex-chat-1-1-1-0.old";
    const { project, back } = await turn({ a: "one\n", [name]: "mine\n" }, (agent) =>
      agent.act({ do: "write", path: "a", text: "two\n" }),
    );
    await project.change(back);
    expect(project.tree()).toEqual({ a: "644 one\n", [name]: "644 mine\n" });
  });

  it("does not make a link of what the user wrote into a file", async () => {
    const project = new RecordedProject();
    project.act({ do: "write", path: "a", text: "x" });
    const one = await project.take();
    // The link's target is what the file contained.
    project.act({ do: "link", path: "a", target: "x" });
    const other = await project.take();
    project.act({ do: "write", path: "a", text: "by the user\n" });
    const { conflicts } = await project.change(await project.compare(one, other));
    expect(conflicts).toMatchObject([{ path: "a", why: "changed" }]);
    expect(project.tree()).toEqual({ a: "644 by the user\n" });
  });

  it("leaves a repository alone that the agent made in a directory, and the directory", async () => {
    const { project, back } = await turn({ a: "1" }, (agent) => {
      agent.act({ do: "write", path: "sub/.git/config", text: "[core]\n" });
      agent.act({ do: "write", path: "sub/file", text: "2" });
    });
    const { conflicts } = await project.change(back);
    expect(conflicts).toEqual([]);
    expect(Object.keys(project.tree())).toEqual(["a", "sub", "sub/.git", "sub/.git/config"]);
  });

  it("keeps a file where it is whose old name a directory has that cannot go", async () => {
    const { project, back } = await turn({ a: "a\nb\nc\nd\n" }, (agent) => {
      agent.act({ do: "rename", path: "a", to: "b" });
    });
    project.act({ do: "write", path: "b", text: "a\nb\nc\nd\nmine\n" });
    project.act({ do: "write", path: "a/.git/HEAD", text: "ref: x\n" });
    const planned = must(await project.restorer.plan([back], never()));
    expect(planned.plan.steps).toEqual([]);
    const { conflicts } = await project.change(back);
    expect(conflicts.map(({ path, why }) => `${path} ${why}`).sort()).toEqual([
      ...["a in_the_way", "b in_the_way"],
    ]);
    expect(project.tree()).toMatchObject({ b: "644 a\nb\nc\nd\nmine\n" });
  });

  it("takes permissions back that git does not record, and its redo brings them back", async () => {
    const { project, back } = await turn({ a: "1\n", b: "2\n" }, (agent) => {
      agent.act({ do: "chmod", path: "a", mode: 0o600 });
      agent.act({ do: "write", path: "b", text: "changed\n", mode: 0o640 });
    });
    const changed = project.tree();
    const undone = await project.change(back);
    expect(project.tree()).toEqual({ a: "644 1\n", b: "644 2\n" });
    await project.change(await project.back(undone.before, undone.after));
    expect(project.tree()).toEqual(changed);
  });

  it("brings private directories and files back as such", async () => {
    const { project, back } = await turn({ a: "1" }, () => {});
    expect(back.files).toEqual([]);
    project.act({ do: "write", path: "keys/id", text: "secret\n", mode: 0o600 });
    fs.chmodSync(join(project.root, "keys"), 0o700);
    const one = await project.take();
    project.act({ do: "remove", path: "keys" });
    await project.change(await project.back(one, await project.take()));
    expect(fs.statSync(join(project.root, "keys")).mode & 0o777).toBe(0o700);
    expect(project.tree()).toMatchObject({ "keys/id": "600 secret\n" });
  });
});
