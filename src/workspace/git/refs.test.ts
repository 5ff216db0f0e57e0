import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { branchRefName, chatName, setChatRef } from "./chat-refs.ts";
import { headOid, isRefName, readRefs, readRefsBelow } from "./refs.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);

async function gitDir(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-refs-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}

describe("reading refs", () => {
  it("prefers loose refs to packed ones, and resolves HEAD from either", async () => {
    const dir = await gitDir({
      HEAD: "ref: refs/heads/main\n",
      "packed-refs": `# pack-refs with: peeled fully-peeled sorted \n${A} refs/heads/main\n${A} refs/tags/v1\n^${B}\n`,
      "refs/heads/main": `${B}\n`,
      "refs/heads/a/b": `${A}\n`,
      "refs/remotes/origin/HEAD": "ref: refs/remotes/origin/main\n",
    });
    const refs = await readRefs(dir);
    expect(refs).toEqual({
      head: { branch: "refs/heads/main" },
      refs: new Map([
        ["refs/heads/main", B],
        ["refs/tags/v1", A],
        ["refs/heads/a/b", A],
      ]),
      isCut: false,
      isWhole: false,
    });
    expect(headOid(refs)).toBe(B);
  });

  it("ignores names that lead elsewhere and invalid values", async () => {
    const dir = await gitDir({
      HEAD: "ref: ../../../etc/passwd\n",
      "packed-refs": [
        `${A} refs/heads/../../x`,
        `${A} /etc/passwd`,
        `${A} refs/heads/x.lock`,
        `${A} refs/heads/-- extra`,
        `${A} refs/heads/a\u0001b`,
        `zz refs/heads/main`,
        `${A.slice(1)} refs/heads/short`,
        "x".repeat(100_000),
      ].join("\n"),
      "refs/heads/.hidden": `${A}\n`,
      "refs/heads/text": "hello\n",
      "refs/heads/long": `${A}\n${"x".repeat(10_000)}`,
    });
    expect(await readRefsBelow(dir, [])).toEqual({
      head: undefined,
      refs: new Map(),
      isCut: false,
      isWhole: false,
    });
  });

  it("follows no link and waits for no pipe, wherever they are", async () => {
    const secret = await gitDir({ "heads/x": `${A}\n`, HEAD: `${A}\n`, x: `${A}\n` });
    const dir = await gitDir({ "refs/tags/t": `${B}\n` });
    await symlink(join(secret, "heads"), join(dir, "refs/heads"));
    await symlink(join(secret, "x"), join(dir, "refs/tags/x"));
    await symlink(join(secret, "HEAD"), join(dir, "HEAD"));
    await execa("mkfifo", [join(dir, "packed-refs"), join(dir, "refs/tags/pipe")]);
    expect(await readRefsBelow(dir, [])).toEqual({
      head: undefined,
      refs: new Map([["refs/tags/t", B]]),
      isCut: false,
      isWhole: false,
    });
    await rm(join(dir, "refs"), { recursive: true });
    await symlink(secret, join(dir, "refs"));
    expect((await readRefsBelow(dir, [])).refs.size).toBe(0);
  });

  it("of the real repository is refused if git may see more", async () => {
    for (const name of ["HEAD", "packed-refs", "refs/heads/main"]) {
      const dir = await gitDir({ HEAD: `${A}\n`, "packed-refs": "", "refs/heads/main": `${A}\n` });
      expect((await readRefs(dir)).refs.get("refs/heads/main")).toBe(A);
      await writeFile(join(dir, name), `${A}\n${"x".repeat(17 * 1024 ** 2)}`);
      await expect(readRefs(dir)).rejects.toThrow(/ is larger than /);
      await rm(join(dir, name));
      await symlink(join(dir, "elsewhere"), join(dir, name));
      await expect(readRefs(dir)).rejects.toThrow(`${dir}/${name} is not a plain file`);
      await rm(join(dir, name));
      await execa("mkfifo", [join(dir, name)]);
      await expect(readRefs(dir)).rejects.toThrow(`${dir}/${name} is not a plain file`);
    }
  });

  it("terminates on deeply nested empty directories", async () => {
    const dir = await gitDir({ HEAD: `${A}\n`, "refs/heads/main": `${A}\n` });
    for (let n = 0; n < 5; n++)
      for (let m = 0; m < 5; m++) await mkdir(join(dir, `refs/x${n}/${m}`), { recursive: true });
    expect(await readRefs(dir, dir, 40)).toMatchObject({ isCut: false });
    expect(await readRefs(dir, dir, 20)).toMatchObject({ isCut: true });
  });

  it("accepts no name that git refuses", async () => {
    const part = fc.string({ unit: "binary", maxLength: 8 });
    const odd = fc.constantFrom(
      "..",
      "@{",
      ".lock",
      "~",
      "\\",
      "*",
      " ",
      "a",
      "ä",
      ".",
      "/",
      "x y",
    );
    const name = fc.array(fc.oneof(part, odd), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(name, async (parts) => {
        const ref = `refs/heads/${parts.join("")}`;
        fc.pre(isRefName(ref));
        const { exitCode } = await execa("git", ["check-ref-format", ref], { reject: false });
        expect(exitCode).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the ref of a conversation", () => {
  it.each([
    ["/x/2026-01-31-add-tests.md", "2026-01-31-add-tests"],
    ["/x/../../etc/passwd.md", "passwd"],
    ["/x/ä b..lock.lock.md", "b"],
    ["/x/.md", "chat"],
    ["/x/@{-1}.md", "1"],
    ["/x/a~^:?*[\\ b.md", "a-b"],
  ])("for %s is %s", (path, name) => {
    expect(chatName(path)).toBe(name);
    expect(isRefName(`refs/codex/${chatName(path)}`)).toBe(true);
  });

  it("is different for each branch", () => {
    const names = [
      "a/b",
      "a-b",
      "a.b",
      "a..b",
      "ä",
      "ö",
      `${"x".repeat(300)}1`,
      `${"x".repeat(300)}2`,
    ];
    const refs = names.map((name) => branchRefName("chat", name));
    expect(new Set(refs).size).toBe(names.length);
    for (const ref of refs) expect(isRefName(`refs/codex/${ref}`)).toBe(true);
  });

  it("is not written through a link, or while another process has the lock", async () => {
    const outside = await gitDir({ "codex/victim": "precious\n" });
    const dir = await gitDir({ HEAD: "ref: refs/heads/main\n", "refs/heads/x": `${A}\n` });
    expect(await setChatRef(dir, "chat", A)).toEqual({ ok: true, value: undefined });
    expect((await readRefs(dir)).refs.get("refs/codex/chat")).toBe(A);
    await writeFile(join(dir, "refs/codex/chat.lock"), "");
    expect(await setChatRef(dir, "chat", B)).toMatchObject({ ok: false });
    await rm(join(dir, "refs/codex"), { recursive: true });
    await symlink(join(outside, "codex"), join(dir, "refs/codex"));
    expect(await setChatRef(dir, "victim", B)).toMatchObject({ ok: false });
    expect((await readRefs(outside, outside)).refs.size).toBe(0);
  });
});
