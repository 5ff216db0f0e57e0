import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Pictures, saveImage, withSavedImage } from "./images.ts";

const PNG = Buffer.from("89504e470d0a1a0a0000000d", "hex");

async function place(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-images-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe("a generated picture", () => {
  it("is saved beside the conversation, and never replaces another", async () => {
    const dir = await place();
    const path = join(dir, "2026 a`b.md");
    expect(saveImage(path, PNG.toString("base64"))).toEqual({
      ok: true,
      value: "images/2026-a-b-1.png",
    });
    expect(saveImage(path, PNG.toString("base64"))).toMatchObject({
      value: "images/2026-a-b-2.png",
    });
    expect(await readFile(join(dir, "images/2026-a-b-1.png"))).toEqual(PNG);
  });

  it("is saved a limited number of times per message, which is reported once", async () => {
    const dir = await place();
    const pictures = new Pictures();
    const save = () => pictures.save(join(dir, "a.md"), PNG.toString("base64"), dir);
    const all = Array.from({ length: 30 }, save);
    expect(all.filter((image) => image?.ok === true)).toHaveLength(20);
    expect(all[20]).toMatchObject({ error: { message: expect.stringContaining("20 pictures") } });
    expect(all.slice(21)).toEqual(Array(9).fill(undefined));
    pictures.renew();
    expect(save()).toMatchObject({ value: "images/a-21.png" });
    expect(await readdir(join(dir, "images"))).toHaveLength(21);
  });

  it("is not saved beyond a conversation's limit, also after reopening it", async () => {
    const dir = await place();
    await mkdir(join(dir, "images"));
    const earlier = join(dir, "images/a-7.png");
    await writeFile(earlier, PNG);
    await truncate(earlier, 200 * 1024 ** 2 - 20);
    await writeFile(join(dir, "images/ab-900.png"), PNG);
    const pictures = new Pictures();
    const save = () => pictures.save(join(dir, "a.md"), PNG.toString("base64"), dir);
    expect(save()).toMatchObject({ value: "images/a-8.png" });
    expect(save()).toMatchObject({ error: { message: expect.stringContaining("200 MiB") } });
    expect(save()).toBeUndefined();
  });

  it("is not saved through a link", async () => {
    const dir = await place();
    await mkdir(join(dir, "chats"));
    await mkdir(join(dir, "outside"));
    await symlink(join(dir, "outside"), join(dir, "chats/images"));
    expect(saveImage(join(dir, "chats/a.md"), PNG.toString("base64"))).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("is a link") },
    });
    expect(await readdir(join(dir, "outside"))).toEqual([]);
  });

  it.each([
    ["a script", Buffer.from("#!/bin/sh\n").toString("base64")],
    ["empty", ""],
    ["not base64", "\u0000\u0001"],
    ["too large", "A".repeat(50_000_000)],
  ])("is not saved if it is %s", async (_what, base64) => {
    const dir = await place();
    expect(saveImage(join(dir, "a.md"), base64)).toMatchObject({ ok: false });
    expect(await readdir(dir)).toEqual([]);
  });

  it("is shown from where it is saved, whatever path the agent reports", () => {
    const notification = {
      method: "item/completed",
      params: {
        threadId: "t",
        turnId: "u",
        item: {
          type: "imageGeneration",
          id: "i",
          status: "completed",
          revisedPrompt: "a dot",
          result: "abc",
          savedPath: "images/../../etc/passwd",
        },
      },
    } as const;
    const kept = withSavedImage(notification, () => ({ ok: true, value: "images/a-1.png" }));
    expect(kept.notification).toMatchObject({
      params: { item: { savedPath: "images/a-1.png", result: null, revisedPrompt: "a dot" } },
    });
    const failed = withSavedImage(notification, () => ({
      ok: false,
      error: { kind: "image", message: "No." },
    }));
    expect(failed).toMatchObject({
      problem: "No.",
      notification: { params: { item: { savedPath: null } } },
    });
  });
});
