import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { deflateSync } from "node:zlib";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { importPack, type TransferLimits } from "./import-pack.ts";
import type { Repository } from "./repository/repository.ts";
import { SandboxGit } from "./sandbox-git.ts";

/** A repository of the user's with one commit, and a place to craft objects in. */
async function places() {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-git-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const [real, crafted] = [join(base, "real"), join(base, "crafted")];
  await git(base, ["init", "-q", real]);
  await git(real, ["commit", "-q", "--allow-empty", "-m", "first"]);
  const first = await git(real, ["rev-parse", "HEAD"]);
  await git(base, ["clone", "-q", "--bare", real, crafted]);
  const repository: Repository = {
    gitDir: join(real, ".git"),
    commonDir: join(real, ".git"),
    format: "sha1",
    objects: [join(real, ".git/objects")],
    shallow: undefined,
    config: [],
  };
  return { base, real, crafted, first, repository };
}

async function git(cwd: string, args: readonly string[], input?: string | Buffer): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
  const { stdout } = await execa("git", [...identity, ...args], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    ...(input === undefined ? {} : { input }),
  });
  return stdout;
}

/** A private side that answers with this stream, whatever it is asked for. */
function saying(stdout: Readable): SandboxGit {
  return new SandboxGit(
    async () => ({
      ok: true,
      value: {
        stdin: new PassThrough().resume(),
        stdout,
        stderr: Readable.from([]),
        exited: Promise.resolve({ exitCode: 0 }),
        kill: () => stdout.destroy(),
      },
    }),
    "/private",
  );
}

/** Packs these objects and nothing else. */
async function packOf(dir: string, ids: readonly string[]) {
  const packed = await execa("git", ["pack-objects", "--stdout", "-q"], {
    cwd: dir,
    input: ids.join("\n"),
    encoding: "buffer",
  });
  return Readable.from([Buffer.from(packed.stdout)]);
}

type Places = Awaited<ReturnType<typeof places>>;

/** Crafts a commit on these raw entries of a tree: mode, name, content. */
async function craft(
  { crafted, first }: Places,
  entries: readonly (readonly [mode: string, name: string, content: string])[],
) {
  const raw: Buffer[] = [];
  const ids: string[] = [];
  for (const [mode, name, content] of entries) {
    const isTree = mode === "40000";
    const id = await git(
      crafted,
      ["hash-object", "-w", "--literally", "-t", isTree ? "tree" : "blob", "--stdin"],
      isTree ? Buffer.alloc(0) : content,
    );
    ids.push(id);
    raw.push(Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex"));
  }
  const tree = await git(
    crafted,
    ["hash-object", "-w", "--literally", "-t", "tree", "--stdin"],
    Buffer.concat(raw),
  );
  const tip = await git(crafted, ["commit-tree", tree, "-p", first, "-m", "crafted"]);
  return { tip, ids: [tip, tree, ...ids] };
}

async function take(
  { repository, base, first }: Places,
  stdout: Readable,
  tip: string,
  limits: Partial<TransferLimits> = {},
) {
  return importPack(repository, saying(stdout), base, {
    tips: [tip],
    known: [first],
    limits: { maxBytes: 10_000_000, timeoutMs: 20_000, ...limits },
  });
}

/** Whether the real repository has an object now. */
async function has({ real }: Places, id: string): Promise<boolean> {
  return (await execa("git", ["cat-file", "-e", id], { cwd: real, reject: false })).exitCode === 0;
}

describe("receiving", () => {
  it("takes a commit with its files", async () => {
    const dirs = await places();
    const { tip, ids } = await craft(dirs, [["100644", "a.txt", "hello\n"]]);
    const done = await take(dirs, await packOf(dirs.crafted, ids), tip);
    expect(done.ok).toBe(true);
    expect(await git(dirs.real, ["show", `${tip}:a.txt`])).toBe("hello");
    expect(await git(dirs.real, ["fsck", "--no-dangling"])).toBe("");
  });

  const evil = '[submodule "x"]\n\tpath = x\n\turl = ';
  it.each([
    ["a .git directory", [["40000", ".git", ""]]],
    ["a .git directory in other letters", [["40000", ".GIT", ""]]],
    ["a .git directory for HFS+", [["40000", ".g\u200cit", ""]]],
    ["a .git directory for NTFS", [["40000", "git~1", ""]]],
    ["a path that leads up", [["40000", "..", ""]]],
    ["a name with a slash", [["100644", "a/b", "x"]]],
    [
      "the same name twice",
      [
        ["100644", "a", "x"],
        ["100644", "a", "y"],
      ],
    ],
    [
      "a submodule's address that is an option",
      [["100644", ".gitmodules", `${evil}--upload-pack=touch x\n`]],
    ],
    [
      "a submodule's name that leads up",
      [["100644", ".gitmodules", '[submodule "../../x"]\n\turl = a\n']],
    ],
    [
      "a submodule's path that is an option",
      [["100644", ".gitmodules", '[submodule "x"]\n\tpath = -x\n\turl = a\n']],
    ],
    [
      "a submodule that runs a command to update",
      [["100644", ".gitmodules", `${evil}a\n\tupdate = !touch x\n`]],
    ],
    [".gitmodules as a link", [["120000", ".gitmodules", "/etc/passwd"]]],
    [
      ".gitattributes with an endless line",
      [["100644", ".gitattributes", `* ${"a".repeat(5000)}\n`]],
    ],
  ] as const)("refuses a tree with %s, which a plain fetch takes", async (_name, entries) => {
    const dirs = await places();
    const { tip, ids } = await craft(dirs, entries);
    const done = await take(dirs, await packOf(dirs.crafted, ids), tip);
    expect(done).toMatchObject({ ok: false, error: expect.stringContaining("git's checks") });
    expect(await has(dirs, tip)).toBe(false);
    // The control: git's own fetch, as it is by default.
    await git(dirs.crafted, ["update-ref", "refs/heads/evil", tip]);
    await git(dirs.real, ["fetch", "-q", dirs.crafted, "refs/heads/evil:refs/naive"]);
    expect(await has(dirs, tip)).toBe(true);
  });

  it("refuses a commit whose files are missing even if the tip is there", async () => {
    const dirs = await places();
    const { tip, ids } = await craft(dirs, [["100644", "a.txt", "hello\n"]]);
    const done = await take(dirs, await packOf(dirs.crafted, ids.slice(0, 2)), tip);
    expect(done.ok).toBe(false);
    expect(await has(dirs, tip)).toBe(false);
  });

  it("refuses a commit whose parent is nowhere", async () => {
    const dirs = await places();
    const { tip, ids } = await craft(dirs, [["100644", "a.txt", "hello\n"]]);
    const orphan = await git(dirs.crafted, [
      "commit-tree",
      `${tip}^{tree}`,
      "-p",
      tip,
      "-m",
      "next",
    ]);
    const done = await take(dirs, await packOf(dirs.crafted, [orphan, ...ids.slice(1)]), orphan);
    expect(done.ok).toBe(false);
    expect(await has(dirs, orphan)).toBe(false);
  });

  it("refuses a tip that is a file, a missing tip, and a stream that is not a pack", async () => {
    const dirs = await places();
    const { tip, ids } = await craft(dirs, [["100644", "a.txt", "hello\n"]]);
    const blob = ids[2] ?? "";
    expect((await take(dirs, await packOf(dirs.crafted, ids), blob)).ok).toBe(false);
    const other = await git(dirs.crafted, ["commit-tree", `${tip}^{tree}`, "-m", "other"]);
    expect((await take(dirs, await packOf(dirs.crafted, ids), other)).ok).toBe(false);
    expect((await take(dirs, Readable.from([Buffer.from("PACK no")]), tip)).ok).toBe(false);
    expect((await take(dirs, Readable.from([]), tip)).ok).toBe(false);
    expect(await has(dirs, tip)).toBe(false);
  });

  it("refuses a stream over the limit, and one that never ends", async () => {
    const dirs = await places();
    const noise = Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256));
    await writeFile(join(dirs.base, "noise"), noise);
    const id = await git(dirs.crafted, ["hash-object", "-w", join(dirs.base, "noise")]);
    const large = await take(dirs, await packOf(dirs.crafted, [id]), dirs.first, {
      maxBytes: 100_000,
    });
    expect(large).toMatchObject({ ok: false, error: expect.stringContaining("larger than") });
    const endless = new PassThrough();
    endless.write("PACK");
    expect((await take(dirs, endless, dirs.first, { timeoutMs: 500 })).ok).toBe(false);
    expect(endless.destroyed).toBe(true);
  });

  it("stops at an object that unpacks to more than its memory limit", async () => {
    const dirs = await places();
    // A tree must be had as a whole; this one says that it has 6 GiB.
    const size = [(2 << 4) | 0x80];
    for (let rest = (6 * 1024 ** 3) / 16; rest > 0; rest = Math.floor(rest / 128))
      size.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    const head = [...Buffer.from("PACK"), 0, 0, 0, 2, 0, 0, 0, 1];
    const bomb = Buffer.concat([Buffer.from([...head, ...size]), deflateSync(Buffer.alloc(1e6))]);
    const done = await take(dirs, Readable.from([bomb]), dirs.first);
    expect(done).toMatchObject({ ok: false, error: expect.stringMatching(/memory/i) });
  });
});
