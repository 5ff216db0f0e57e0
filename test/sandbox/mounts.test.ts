import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sandboxOn } from "./shared.ts";
import { own, repository, SLOW, scratchDir, sh, USER } from "./support.ts";

/** All that an attacker tries on a directory, and whether it worked. */
const ATTACK = `
attack() { echo evil > "$1/file"; touch "$1/new"; rm -f "$1/file"; mv "$1" "$1-gone"; ln "$1/file" /tmp/l && echo evil > /tmp/l
  unshare -Urm sh -c 'mount -o remount,rw "$1"; mount -o remount,bind,rw "$1"; echo evil > "$1/file"; umount -l "$1"; touch "$1/new"' sh "$1"; }
attack "$1" 2>/dev/null; true`;

describe("the user's mounts", SLOW, () => {
  it("are read-only unless configured writable, and even then protect what the host runs", async () => {
    const root = await repository();
    const [reading, writing] = [await scratchDir("read me"), await scratchDir("write:me")];
    for (const dir of [reading, writing]) {
      await writeFile(join(dir, "file"), "mine");
      await mkdir(join(dir, ".git"));
      await writeFile(join(dir, ".git/config"), "[core]\n");
      await own(join(dir, "file"), join(dir, ".git"), join(dir, ".git/config"));
    }
    await symlink(reading, join(root, "way-out"));
    const sandbox = await sandboxOn(root, {
      mounts: [
        { source: reading },
        { source: reading, target: "/opt/lib" },
        { source: writing, target: "/srv/data", write: true },
        { source: join(root, "way-out"), target: "/opt/out" },
      ],
    });
    expect(sandbox.notes).toEqual([
      `sandbox.mounts: the agent can write in ${writing} (as /srv/data).`,
      expect.stringContaining("a link in the project leads to it"),
    ]);
    const { stdout } = await sh(sandbox, 'cat "$1/file" /opt/lib/file; ls /opt/out', reading);
    expect(stdout).toBe("minemine");

    for (const at of [reading, "/opt/lib"]) await sh(sandbox, ATTACK, at);
    expect(await readFile(join(reading, "file"), "utf8")).toBe("mine");
    await expect(stat(join(reading, "new"))).rejects.toThrow("ENOENT");

    // The control: where writing is allowed, the same attack works.
    await sh(sandbox, ATTACK, "/srv/data");
    expect(await stat(join(writing, "new"))).toMatchObject(USER);
    expect(await readFile(join(writing, "file"), "utf8")).toBe("evil\n");
    await sh(sandbox, "echo evil > /srv/data/.git/config; mv /srv/data/.git /srv/data/x");
    expect(await readFile(join(writing, ".git/config"), "utf8")).toBe("[core]\n");
  });

  it("keep the configured size limits of the home and of /tmp", async () => {
    const limits = { memoryBytes: 2 * 1024 ** 3, tmpBytes: 16 << 20, homeBytes: 16 << 20 };
    const sandbox = await sandboxOn(await repository(), { limits });
    const { stdout, stderr } = await sh(
      sandbox,
      'for it in /tmp "$HOME"; do head -c 20000000 /dev/zero > "$it/big"; wc -c < "$it/big"; rm "$it/big"; done',
    );
    expect(stderr).toMatch(/No space left on device[\s\S]*No space left on device/);
    for (const size of stdout.trim().split("\n")) expect(Number(size)).toBeLessThan(17 << 20);
  });
});
