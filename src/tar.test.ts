import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { tarStream } from "./tar.ts";

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-tar-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe("tarStream", () => {
  it("writes names, contents of any length and the executable bit so that tar reads them back", async () => {
    const dir = await scratch();
    const big = Buffer.alloc(3 * 1024 * 1024 + 17, "é");
    await writeFile(join(dir, "big"), big);
    await writeFile(join(dir, "empty"), "");
    const archive = await buffer(
      tarStream([
        { name: "Dockerfile", content: "FROM scratch\n" },
        { name: "codex/bin/codex", path: join(dir, "big"), executable: true },
        { name: "block", content: "x".repeat(512) },
        { name: "empty", path: join(dir, "empty") },
      ]),
    );
    expect(archive.length % 512).toBe(0);
    await execa("tar", ["-x", "-C", dir], { input: archive });
    expect(await readFile(join(dir, "Dockerfile"), "utf8")).toBe("FROM scratch\n");
    expect((await readFile(join(dir, "codex/bin/codex"))).equals(big)).toBe(true);
    expect((await stat(join(dir, "codex/bin/codex"))).mode & 0o777).toBe(0o755);
    expect((await stat(join(dir, "Dockerfile"))).mode & 0o777).toBe(0o644);
    expect(await readFile(join(dir, "block"), "utf8")).toBe("x".repeat(512));
    expect((await stat(join(dir, "empty"))).size).toBe(0);
  });

  it("writes the same bytes for the same files", async () => {
    const entries = [{ name: "a", content: "1" }];
    expect(await buffer(tarStream(entries))).toEqual(await buffer(tarStream(entries)));
  });

  it("refuses a name that ustar cannot hold", async () => {
    await expect(buffer(tarStream([{ name: "n".repeat(101), content: "" }]))).rejects.toThrow(
      "too long for an archive",
    );
  });
});
