import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { pathOutside } from "./own-path.ts";

it("leaves out of the PATH what lies in the project, however it is written", async () => {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-path-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const root = join(base, "project");
  for (const dir of [join(root, "bin"), join(base, "project-tools")])
    await mkdir(dir, { recursive: true });
  await symlink(join(root, "bin"), join(base, "link"));
  const inside = [
    ...[root, `${root}/`, `${root}/bin`, `${root}/bin/../bin/`, `${root}/not/made/yet`],
    ...[`${base}/link`, `${base}/other/../project/bin`, "", ".", "bin", "./node_modules/.bin"],
  ];
  const outside = ["/usr/bin", `${base}/project-tools`, "/nowhere", base];
  const all = outside.flatMap((it, n) => [...inside.slice(n * 3, n * 3 + 3), it]);
  expect(pathOutside(all.join(":"), root, "/home/somebody")).toBe(outside.join(":"));
  // By a link to the project, too.
  await symlink(root, join(base, "by-link"));
  expect(pathOutside(`${root}/bin:/usr/bin`, join(base, "by-link"), "/home/somebody")).toBe(
    "/usr/bin",
  );
});

it("leaves the PATH as it is where the project would be refused", () => {
  const path = "/home/somebody/bin:/usr/bin";
  for (const root of ["/", "/home", "/home/somebody"])
    expect(pathOutside(path, root, "/home/somebody")).toBe(path);
});
