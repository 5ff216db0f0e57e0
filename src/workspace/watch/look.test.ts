import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Project } from "../../../test/support/watched-project.ts";
import { changesOf } from "./changes.ts";

describe("a look at a project", () => {
  it("reports a program of any name that would run with the user's rights", async () => {
    const project = new Project();
    for (const path of ["a/old", "a/b\n", "Makefile"]) project.write(path);
    chmodSync(join(project.root, "a/old"), 0o4755);
    const told = await project.told(() => {
      chmodSync(join(project.root, "a/b\n"), 0o4755);
      chmodSync(join(project.root, "Makefile"), 0o2755);
      mkdirSync(join(project.root, "shared"));
      chmodSync(join(project.root, "shared"), 0o2775);
    });
    expect(told).toEqual(["Makefile made set-id", "a/b\n made set-id"]);
  });

  it("is not deceived by a file with the previous size and times", async () => {
    const project = new Project();
    project.write("Makefile", "good");
    const touch = (path: string) =>
      execFileSync("touch", ["-d", "2020-01-01 00:00:00", join(project.root, path)]);
    touch("Makefile");
    const told = await project.told(() => {
      project.write("new", "evil");
      touch("new");
      renameSync(join(project.root, "new"), join(project.root, "Makefile"));
    });
    expect(told).toEqual(["Makefile changed"]);
  });

  it("sees names of any bytes and kinds that cannot be read", async () => {
    const project = new Project();
    const told = await project.told(() => {
      const odd = Buffer.concat([Buffer.from(`${project.root}/`), Buffer.from([0xff, 0x0a])]);
      mkdirSync(odd);
      writeFileSync(Buffer.concat([odd, Buffer.from("/.envrc")]), "x");
      execFileSync("mkfifo", [join(project.root, ".exrc")]);
      project.write("ünïcode/Makefile");
    });
    expect(told).toEqual([".exrc created", "\ufffd\n/.envrc created", "ünïcode/Makefile created"]);
  });

  it("sees a second change within the same tick of the kernel's clock", async () => {
    const project = new Project();
    project.write("Makefile", "good");
    const before = await project.look();
    const known = before.watched.get("Makefile");
    if (known === undefined) throw new Error("the Makefile was not looked at");
    // As if the first look had read other content just before the times of the second one.
    const hash = "of before";
    const early = { ...before, watched: new Map([["Makefile", { ...known, hash }]]) };
    const after = await project.look({ earlier: early });
    expect(changesOf(early, after)).toMatchObject([{ path: "Makefile", change: "changed" }]);
  });

  it("distinguishes a Neovim parser from source code in a folder of the same name", async () => {
    const project = new Project();
    const told = await project.told(() => {
      project.write("parser/evil.txt", "\x7fELF\x02");
      for (const path of ["parser/lexer.go", "src/parser/x.so"]) project.write(path, "package x");
    });
    expect(told).toEqual(["parser/evil.txt created"]);
  });

  it("checks git's hooks, however many files are beside them", async () => {
    const project = new Project();
    project.write("sub/.git/HEAD");
    for (let n = 0; n < 300; n++) project.write(`sub/.git/hooks/a${n}`);
    const told = await project.told(() => project.write("sub/.git/hooks/post-checkout"));
    expect(told).toEqual(["sub/.git file:hooks/post-checkout changed"]);
  });

  it("compares the whole of a file that is larger than the part that is read", async () => {
    const project = new Project();
    const long = "#".repeat(2000);
    project.write("Makefile", `${long}a`);
    const bounds = { bytes: 1000 };
    const before = await project.look({ bounds });
    project.write("Makefile", `${long}b`);
    const after = await project.look({ bounds, earlier: before });
    expect(changesOf(before, after)).toMatchObject([{ path: "Makefile", change: "changed" }]);
  });

  it("gives the reason for an incomplete look, covers the upper directories, and reports nothing as removed", async () => {
    const project = new Project();
    for (let n = 0; n < 30; n++) project.write(`deep/er/d${n}/Makefile`);
    const before = await project.look();
    project.write(".envrc");
    for (let n = 0; n < 300; n++) project.write(`flood/f${n}`);
    const after = await project.look({ bounds: { entries: 200 } });
    expect(after.cut).toBe("it has more than 200 files");
    expect(changesOf(before, after)).toMatchObject([{ path: ".envrc", change: "created" }]);
  });

  it.each([
    ["tsconfig.json", "/*".repeat(400_000)],
    ["tsconfig.json", `"${'\\"'.repeat(400_000)}`],
    ["tsconfig.json", `{${",".repeat(900_000)}`],
    ["tsconfig.json", `{"extends":${"[".repeat(400_000)}${"]".repeat(400_000)}}`],
    ["package.json", `{"scripts":{"a":${"[".repeat(400_000)}${"]".repeat(400_000)}}}`],
    ["package.json", `{"scripts":{${'"a":"b",'.repeat(100_000)}"c":"d"}}`],
  ])("is not delayed by a hostile %s", async (path, text) => {
    const project = new Project();
    project.write(path, "{}");
    expect(await project.told(() => project.write(path, text))).toHaveLength(1);
  });

  it("can be aborted", async () => {
    const project = new Project();
    await expect(project.look({ signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow(
      "stop",
    );
  });

  it("skips a directory that is swapped for a link meanwhile", async () => {
    const project = new Project();
    mkdirSync(join(project.base, "secret"));
    writeFileSync(join(project.base, "secret/.envrc"), "x");
    project.write("dir/a/x");
    const swap = setInterval(() => {
      try {
        rmSync(join(project.root, "dir"), { recursive: true });
        symlinkSync("../secret", join(project.root, "dir"));
        rmSync(join(project.root, "dir"));
        mkdirSync(join(project.root, "dir"));
      } catch {}
    });
    onTestFinished(() => clearInterval(swap));
    for (let n = 0; n < 200; n++) {
      const { watched } = await project.look();
      expect([...watched.keys()]).not.toContain("dir/.envrc");
    }
    clearInterval(swap);
  });
});
