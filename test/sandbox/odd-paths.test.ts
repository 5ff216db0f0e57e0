import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { engine, image, sandboxOn } from "./shared.ts";
import {
  git,
  open,
  options,
  own,
  refused,
  repository,
  SLOW,
  scratchDir,
  sh,
  USER,
} from "./support.ts";

/** A directory whose path has about so many bytes. */
async function deep(bytes: number): Promise<string> {
  let root = await scratchDir("deep");
  while (root.length < bytes) {
    root = join(root, "d".repeat(Math.min(200, Math.max(1, bytes - root.length - 1))));
    await mkdir(root);
    await own(root);
  }
  return root;
}

describe("a sandbox", SLOW, () => {
  it("works on a path of 3800 bytes, and reports one that is too long", async () => {
    const root = await deep(3800);
    const sandbox = await sandboxOn(root);
    expect((await sh(sandbox, "pwd; echo hello > made")).stdout).toBe(`${root}\n`);
    expect(await readFile(join(root, "made"), "utf8")).toBe("hello\n");
    const long = await deep(4050);
    const error = refused(await openSandbox(engine, await options(image, long)));
    expect(error.kind).toBe("container_failed");
    expect(error.message).toContain("too long to be mounted");
  });

  it("refuses a path that is not valid UTF-8, also behind a symlink, and says why", async () => {
    const parent = await scratchDir("parent");
    const bytes = Buffer.concat([Buffer.from(`${parent}/b`), Buffer.from([0xff, 0xfe])]);
    await mkdir(bytes);
    await symlink(bytes, join(parent, "link"));
    for (const root of [bytes.toString("utf8"), join(parent, "link")]) {
      const error = refused(await openSandbox(engine, await options(image, root)));
      expect(error.kind).toBe("project_refused");
      expect(error.message).toContain("not valid UTF-8");
    }
  });

  it("works on files with names that are not UTF-8, and follows no symlink out", async () => {
    const root = await repository();
    const outside = await scratchDir("outside");
    await writeFile(join(outside, "secret"), "s3cret");
    await mkdir(join(root, "inner"));
    await writeFile(join(root, "inner/file"), "inner");
    const odd = Buffer.concat([Buffer.from(`${root}/odd-`), Buffer.from([0xff, 0x0a, 0xc3])]);
    await writeFile(odd, "odd");
    await symlink("inner/file", join(root, "within"));
    await symlink(join(root, "inner"), join(root, "absolute"));
    await symlink(join(outside, "secret"), join(root, "out"));
    await symlink("../../../../../../../../etc/hostname", join(root, "up"));
    await own(join(root, "inner"), join(root, "inner/file"));
    const sandbox = await sandboxOn(root);
    const { stdout, stderr } = await sh(
      sandbox,
      `cat odd-*; cat within absolute/file; cat out; cat up; echo x > out; echo more >> within; ls -d "$1"`,
      outside,
    );
    expect(stdout).toBe("oddinnerinnersandbox\n");
    expect(stderr).toContain("out: No such file or directory");
    expect(await readFile(join(outside, "secret"), "utf8")).toBe("s3cret");
    expect(await readFile(join(root, "inner/file"), "utf8")).toBe("innermore\n");
  });

  it("applies the user's umask to files", async () => {
    const root = await repository();
    const sandbox = await open(engine, { ...(await options(image, root)), umask: 0o077 });
    await sh(sandbox, "echo 1 > secret; mkdir dir; git init -q sub");
    for (const name of ["secret", "dir", "sub"]) {
      const { uid, gid, mode } = await lstat(join(root, name));
      expect({ uid, gid, others: mode & 0o077 }).toEqual({ ...USER, others: 0 });
    }
  });

  it("works in a submodule and with repositories nested in the repository", async () => {
    const lib = await repository("lib");
    const app = await repository("app");
    await git(app, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "sub");
    await mkdir(join(app, "nested"));
    await own(join(app, "nested"));
    await git(join(app, "nested"), "init", "-q");
    const inside = await sandboxOn(join(app, "sub"));
    const log = await sh(inside, "git log --oneline | wc -l; git status --porcelain");
    expect(log).toMatchObject({ stdout: "1\n", stderr: "", exitCode: 0 });
    const outer = await sandboxOn(app);
    const { stdout } = await sh(
      outer,
      "cd sub && git log --oneline | wc -l; cd ../nested && git status --porcelain; git rev-parse --show-toplevel",
    );
    expect(stdout).toBe(`1\n${app}/nested\n`);
  });
});
