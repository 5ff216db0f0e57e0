import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { cached } from "./cached.ts";

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat cached-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe("a cached directory", () => {
  it("is made once, and again for another recipe", async () => {
    const dir = join(await scratch(), "a", "tool");
    const made: string[] = [];
    const make = (word: string) => async (partial: string) => {
      made.push(word);
      await writeFile(join(partial, "word"), word);
    };
    await cached(dir, "one", make("first"));
    await cached(dir, "one", make("not again"));
    await cached(dir, "two", make("second"));
    expect(made).toEqual(["first", "second"]);
    expect(await readFile(join(dir, "word"), "utf8")).toBe("second");
  });

  it("is made by one of several processes that need it at once", async () => {
    const dir = join(await scratch(), "tool");
    let times = 0;
    const wants = Array.from({ length: 5 }, () => cached(dir, "one", async () => void times++));
    expect(await Promise.all(wants)).toEqual(Array(5).fill(dir));
    expect(times).toBe(1);
  });

  it("leaves nothing when making it fails, and keeps what was there", async () => {
    const parent = await scratch();
    const dir = join(parent, "tool");
    await cached(dir, "one", (partial) => writeFile(join(partial, "word"), "whole"));
    const failing = cached(dir, "two", async (partial) => {
      await writeFile(join(partial, "word"), "half");
      throw new Error("no network");
    });
    await expect(failing).rejects.toThrow("no network");
    expect(await readdir(parent)).toEqual(["tool"]);
    expect(await readFile(join(dir, "word"), "utf8")).toBe("whole");
  });

  it("removes what an interrupted run left half-done", async () => {
    const parent = await scratch();
    await mkdir(join(parent, ".partial-tool-1"));
    await writeFile(join(parent, ".partial-tool-1", "half"), "");
    await cached(join(parent, "tool"), "one", async () => {});
    expect(await readdir(parent)).toEqual(["tool"]);
  });
});
