/** Files of the state directory; those in a project are tested in `chat/file/atomic-write.test.ts`. */
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { writePrivate } from "./atomic-write.ts";

async function stateDir(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-private-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe("writePrivate", () => {
  it("makes a file private to its user, even when it replaces one that all may read", async () => {
    const dir = await stateDir();
    const path = join(dir, "lease");
    await writeFile(path, "old");
    await chmod(path, 0o666);
    await writePrivate(path, "new");
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(dir)).toEqual(["lease"]);
  });

  it("gives a file the requested permissions with any umask", async () => {
    const path = join(await stateDir(), "passwd");
    await writePrivate(path, "text", 0o666);
    expect(await modeOf(path)).toBe(0o666);
  });

  it("follows the user's link to a state directory, and replaces no link inside it", async () => {
    const dir = await stateDir();
    await mkdir(join(dir, "real"));
    await symlink("real", join(dir, "linked"));
    await writePrivate(join(dir, "linked/file"), "text");
    expect(await readFile(join(dir, "real/file"), "utf8")).toBe("text");
    await symlink("file", join(dir, "real/link"));
    await expect(writePrivate(join(dir, "linked/link"), "other")).rejects.toMatchObject({
      code: "ELOOP",
    });
    expect(await readFile(join(dir, "real/file"), "utf8")).toBe("text");
  });
});
