import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { findProgram, leaveOut, pathOutside, program } from "./programs.ts";
import { err, ok } from "./result.ts";

const HOME = "/home/somebody";

/** A project that is left out, and what lies beside it. */
async function place(): Promise<{ base: string; root: string }> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-path-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const root = join(base, "project");
  await mkdir(join(root, "bin"), { recursive: true });
  await writeFile(join(root, "bin", "tool"), "#!/bin/sh\n", { mode: 0o755 });
  leaveOut(root, [HOME]);
  return { base, root };
}

let system: string;
beforeAll(async () => {
  system = await realpath("/usr/bin");
});

it("leaves out of the PATH what lies in the project, however it is written", async () => {
  const { base, root } = await place();
  await mkdir(join(base, "project-tools"));
  await symlink(join(root, "bin"), join(base, "link"));
  const inside = [
    ...[root, `${root}/`, `${root}/bin`, `${root}/bin/../bin/`, `${root}/not/made/yet`],
    ...[`${base}/link`, `${base}/other/../project/bin`, "", ".", "bin", "./node_modules/.bin"],
  ];
  await mkdir(join(base, "other"));
  const outside = [system, `${base}/project-tools`, "/nowhere", `${base}/other`];
  const all = outside.flatMap((dir, n) => [...inside.slice(n * 3, n * 3 + 3), dir]);
  expect(pathOutside(all.join(":"))).toBe(outside.join(":"));
});

it("counts a project by its real path, and a link by where it lies as well", async () => {
  const { base, root } = await place();
  const second = join(base, "second");
  await mkdir(join(second, "bin"), { recursive: true });
  await symlink(second, join(base, "by-link"));
  await symlink(system, join(root, "way-out"));
  leaveOut(join(base, "by-link"), [HOME]);
  expect(pathOutside([`${second}/bin`, `${root}/way-out`, system].join(":"))).toBe(system);
});

it("leaves out a directory with a link into the project, and still finds the others in it", async () => {
  const { base, root } = await place();
  const bin = join(base, "bin");
  await mkdir(bin);
  await symlink(join(root, "bin", "tool"), join(bin, "tool"));
  await writeFile(join(bin, "own"), "#!/bin/sh\n", { mode: 0o755 });
  expect(pathOutside(bin)).toBe("");
  expect(findProgram("own", { PATH: bin })).toEqual(ok(join(bin, "own")));
  expect(findProgram("tool", { PATH: bin })).toEqual(
    err(
      `${bin}/tool is not run: it lies in the project ${root} or leads there, and Codex can write in it`,
    ),
  );
});

it("leaves out what it cannot look at", async () => {
  const { base } = await place();
  const loop = join(base, "loop");
  await symlink(loop, loop);
  expect(pathOutside([loop, system, join("/proc/self/comm", "bin")].join(":"))).toBe(
    [system, "/proc/self/comm/bin"].join(":"),
  );
});

it("finds a program behind the project's, at a path, and none by a relative path", async () => {
  const { base, root } = await place();
  const bin = join(base, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(bin, "data"), "#!/bin/sh\n");
  const env = { PATH: [`${root}/bin`, "", bin].join(":") };
  expect(findProgram("tool", env)).toEqual(ok(join(bin, "tool")));
  expect(program("tool", env)).toBe(join(bin, "tool"));
  expect(findProgram(join(bin, "tool"), env).ok).toBe(true);
  expect(findProgram(join(root, "bin", "tool"), env)).toMatchObject({
    ok: false,
    error: expect.stringContaining(`lies in the project ${root}`),
  });
  expect(findProgram("data", env)).toEqual(err("there is no such program"));
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  process.chdir(bin);
  expect(findProgram("./tool", env)).toMatchObject({ ok: false });
  expect(findProgram("tool", { PATH: `.:${root}/bin` })).toMatchObject({ ok: false });
  await chmod(join(bin, "tool"), 0o644);
  expect(program("tool", env)).toBe("/nonexistent/tool");
});

it("leaves the PATH as it is where the project would be refused", () => {
  for (const root of ["/", "/home", HOME]) leaveOut(root, [HOME]);
  expect(pathOutside(`${system}:/usr/lib`)).toBe(`${system}:/usr/lib`);
});

it("says which directory on the PATH could not be looked at, where a program is not found", async () => {
  const { base } = await place();
  const loop = join(base, "loop");
  await symlink(loop, loop);
  const env = { PATH: [join(base, "absent"), loop, system].join(":") };
  expect(findProgram("no-such-program", env)).toEqual(
    err(
      `there is no such program on the PATH, as far as can be seen: ${loop} cannot be looked at (ELOOP)`,
    ),
  );
  expect(findProgram("sh", env).ok).toBe(true);
  expect(findProgram("no-such-program", { PATH: system })).toEqual(err("there is no such program"));
});
