import { chmod, mkdir, mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { closedAbove } from "./closed.ts";

it("finds the outermost directory that others cannot go through", async () => {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-closed-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const inner = join(base, "a", "b");
  await mkdir(inner, { recursive: true });
  for (const dir of [join(base, "a"), inner]) await chmod(dir, 0o755);
  const file = join(inner, "file");
  expect(await closedAbove(file)).toBe(base);
  await chmod(base, 0o755);
  expect(await closedAbove(file)).toBeUndefined();
  await chmod(inner, 0o700);
  expect(await closedAbove(file)).toBe(inner);
  expect(await closedAbove(inner)).toBeUndefined();
  await chmod(join(base, "a"), 0o750);
  expect(await closedAbove(file)).toBe(join(base, "a"));
  await chmod(inner, 0o755);
  const { gid } = await stat(inner);
  expect(await closedAbove(file, [gid])).toBeUndefined();
  // A member of the group has the group's rights only.
  await chmod(join(base, "a"), 0o705);
  expect(await closedAbove(file)).toBeUndefined();
  expect(await closedAbove(file, [gid])).toBe(join(base, "a"));
});
