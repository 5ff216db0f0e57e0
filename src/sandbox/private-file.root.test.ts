import { chown, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { itAsRoot } from "../../test/support/root.ts";
import { prepareState } from "./mounts/state-mounts.ts";
import { ownDirectory } from "./private-file.ts";

describe("a directory private to this user", () => {
  itAsRoot("belongs to nobody else, and a state directory of another user is refused", async () => {
    const base = await mkdtemp(join(tmpdir(), "codex-chat-own-"));
    onTestFinished(() => rm(base, { recursive: true, force: true }));
    const dir = join(base, "state");
    await mkdir(dir);
    await chown(dir, 12345, 12345);
    expect(await ownDirectory(dir)).toMatchObject({ what: "belongs to the user 12345" });
    const state = await prepareState(dir, { uid: 0, gid: 0 });
    expect(state.ok ? "" : state.error.message).toContain(
      `${dir} belongs to the user 12345; a directory of your own was expected.`,
    );
    expect(await readdir(dir)).toEqual([]);
  });
});
