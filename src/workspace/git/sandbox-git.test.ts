import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ok } from "../../result.ts";
import { SandboxGit } from "./sandbox-git.ts";

/** A git directory whose programs run on this machine; `path` comes before its PATH. */
async function directory(path: string) {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-fill-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const started: (string | undefined)[] = [];
  const git = new SandboxGit(async ({ argv: [program, ...args] }) => {
    started.push(args[3]);
    const env = { ...process.env, PATH: `${path}:${process.env["PATH"]}` };
    const child = spawn(program, args, { env });
    const exited = once(child, "close").then(([exitCode]) => ({ exitCode }));
    return ok({ ...child, exited, kill: () => void child.kill() });
  }, dir);
  return { dir, git, started };
}

describe("filling a directory", () => {
  const binary = Buffer.from([0, 255, 10, 0, 39]);
  const files = new Map<string, Uint8Array | string>([
    ["refs/heads/", ""],
    ["HEAD", "ref: refs/heads/main\n"],
    ["objects/info/alternates", "/elsewhere\n"],
    ["index", binary],
  ]);

  async function check(dir: string): Promise<void> {
    expect((await stat(join(dir, "refs/heads"))).isDirectory()).toBe(true);
    expect(await readFile(join(dir, "HEAD"), "utf8")).toBe("ref: refs/heads/main\n");
    expect(await readFile(join(dir, "objects/info/alternates"), "utf8")).toBe("/elsewhere\n");
    expect(await readFile(join(dir, "index"))).toEqual(binary);
  }

  it("takes one program, and no Node", async () => {
    const { dir, git, started } = await directory("/nonexistent");
    expect(await git.fill(files)).toEqual(ok());
    await check(dir);
    expect(started).toEqual(["tar"]);
  });

  it("takes a Node where tar fails, or a name is too long for it", async () => {
    const bad = await mkdtemp(join(tmpdir(), "codex-chat-tar-"));
    onTestFinished(() => rm(bad, { recursive: true, force: true }));
    await writeFile(join(bad, "tar"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const { dir, git, started } = await directory(bad);
    expect(await git.fill(files)).toEqual(ok());
    await check(dir);
    expect(started).toEqual(["tar", "node"]);
    const long = `refs/${"x".repeat(100)}`;
    expect(await git.fill(new Map([[long, "text"]]))).toEqual(ok());
    expect(await readFile(join(dir, long), "utf8")).toBe("text");
  });
});
