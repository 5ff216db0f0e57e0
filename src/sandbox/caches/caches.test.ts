import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { parentDirsOf } from "../git/parent-dirs.ts";
import { planCaches } from "./caches.ts";

it.each<[string, (path: string) => Promise<unknown>, boolean]>([
  ["a file", (path) => writeFile(path, "{}"), true],
  ["a pipe that nobody writes to", (path) => execa("mkfifo", [path]), false],
  ["a link to a device without an end", (path) => symlink("/dev/zero", path), false],
  ["a sparse file of a terabyte", (path) => execa("truncate", ["-s", "1T", path]), false],
])("judges the installed packages by %s in node_modules", async (_what, make, isSeed) => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-caches-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, "node_modules"));
  await make(join(root, "node_modules/.package-lock.json"));
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const planned = await planCaches(root, "hash", { tools: false, dirs: ["node_modules"] }, user);
  expect(planned.caches).toHaveLength(1);
  expect(planned.caches[0]?.seed !== undefined).toBe(isSeed);
});

it("separates as many virtual environments as can be mounted, starting with the usual ones", async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-caches-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const many = Array.from({ length: 300 }, (_, n) => `a/${n}/e`);
  const environments = [...many, "deep/in/it/.venv", "z", "venv"];
  for (const dir of environments) await mkdir(join(root, dir), { recursive: true });
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const how = { tools: false, dirs: [".venv"] };
  const planned = await planCaches(root, "hash", how, user, environments);
  const kept = planned.caches.map(({ what }) => what);
  expect(kept.slice(0, 3)).toEqual(["venv", "deep/in/it/.venv", "z"]);
  expect(kept.length + parentDirsOf(kept).length).toBe(39);
  expect(planned.notes).toEqual([
    expect.stringMatching(
      /more virtual environments than can be .* shared.*: a\/\d+\/e, .* and 279 more\.$/,
    ),
  ]);
});
