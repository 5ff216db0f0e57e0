import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { childEnv, findProgram, leaveOut, pathOutside, program, searchPath } from "./programs.ts";
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

it("leaves directories in the project out of the PATH, however they are written", async () => {
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

it("compares real paths of projects, and links also by their own place", async () => {
  const { base, root } = await place();
  const second = join(base, "second");
  await mkdir(join(second, "bin"), { recursive: true });
  await symlink(second, join(base, "by-link"));
  await symlink(system, join(root, "way-out"));
  leaveOut(join(base, "by-link"), [HOME]);
  expect(pathOutside([`${second}/bin`, `${root}/way-out`, system].join(":"))).toBe(system);
});

it("leaves out a directory with a link into the project, and still finds its other programs", async () => {
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

it("leaves out directories that it cannot read", async () => {
  const { base } = await place();
  const loop = join(base, "loop");
  await symlink(loop, loop);
  expect(pathOutside([loop, system, join("/proc/self/comm", "bin")].join(":"))).toBe(
    [system, "/proc/self/comm/bin"].join(":"),
  );
});

it("finds a program after the project's directories and by an absolute path, but not by a relative one", async () => {
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

it("leaves the PATH unchanged if the project would be refused", () => {
  for (const root of ["/", "/home", HOME]) leaveOut(root, [HOME]);
  expect(pathOutside(`${system}:/usr/lib`)).toBe(`${system}:/usr/lib`);
});

it("names a directory on the PATH that could not be read if a program is not found", async () => {
  const { base } = await place();
  const loop = join(base, "loop");
  await symlink(loop, loop);
  const env = { PATH: [join(base, "absent"), loop, system].join(":") };
  expect(findProgram("no-such-program", env)).toEqual(
    err(
      `there is no such program on the PATH, as far as can be seen: ${loop} cannot be accessed (ELOOP)`,
    ),
  );
  expect(findProgram("sh", env).ok).toBe(true);
  expect(findProgram("no-such-program", { PATH: system })).toEqual(err("there is no such program"));
});

it("searches outside every project, and leaves the environment unchanged", async () => {
  const { base, root } = await place();
  const bin = join(base, "bin");
  await mkdir(bin);
  await symlink(join(root, "bin", "tool"), join(bin, "tool"));
  await writeFile(join(bin, "own"), "#!/bin/sh\n", { mode: 0o755 });
  const env = { PATH: `${bin}:${base}/later/bin:${system}` };
  for (let times = 0; times < 2; times++)
    expect(searchPath(env)).toBe(`${base}/later/bin:${system}`);
  expect(env.PATH).toBe(`${bin}:${base}/later/bin:${system}`);
  expect(findProgram("own", env)).toEqual(ok(join(bin, "own")));
  expect(findProgram("tool", env)).toMatchObject({ ok: false });
  // A second project comes, and the first stays left out.
  leaveOut(join(base, "later"), [HOME]);
  expect(searchPath(env)).toBe(system);
  expect(searchPath({})).toBe(pathOutside("/usr/local/bin:/usr/bin:/bin"));
});

it("starts programs without the variables that name a path in the project", async () => {
  const { base, root } = await place();
  await symlink(root, join(base, "link"));
  const kept = {
    ...{ HOME: base, LANG: "C.UTF-8", EMPTY: "", URL: "https://example.org/a/b" },
    ...{ PWD: root, OLDPWD: `${root}/bin`, DIRENV_DIR: `-${root}`, VIRTUAL_ENV: `${root}/.venv` },
    ...{ XDG_CONFIG_HOME: `${base}/config`, BESIDE: `${root}-tools/a`, WORD: "a.b" },
  };
  const gone = {
    ...{ LD_PRELOAD: `/lib/a.so ${root}/a.so`, BASH_ENV: `${base}/link/env`, A: root },
    ...{ NODE_OPTIONS: `--require=${root}/a.js`, PYTHONSTARTUP: "./start.py", B: `x,${root}/` },
    ...{
      JAVA_TOOL_OPTIONS: `-javaagent:${root}/a.jar`,
      RUBYOPT: `-r${root}/a`,
      C: `file://${root}/c`,
    },
    LD_LIBRARY_PATH: `${root}/lib:`,
  };
  const lists = { PATH: `${root}/bin:${system}`, PYTHONPATH: `${root}/lib:/usr/lib:lib` };
  expect(childEnv({ ...kept, ...gone, ...lists })).toEqual({
    ...kept,
    PATH: system,
    PYTHONPATH: "/usr/lib",
  });
});

it("is the only module by which the host finds programs and gives them a PATH", async () => {
  const src = dirname(fileURLToPath(import.meta.url));
  const names = await readdir(src, { recursive: true });
  const reads: string[] = [];
  const starts: string[] = [];
  for (const name of names.filter((path) => /(?<!\.test)\.ts$/.test(path))) {
    const text = await readFile(join(src, name), "utf8");
    if (/\bPATH"\]|\.PATH\b/.test(text)) reads.push(name);
    const isStarter = /\b(?:execa|spawn)\(/.test(text);
    if (isStarter && !/\b(?:searchPath|childEnv)\(/.test(text)) starts.push(name);
  }
  // One reads where the user's own git looks, the other sets the PATH inside of the container.
  expect(reads.toSorted()).toEqual([
    "programs.ts",
    "sandbox/git/git-commands.ts",
    "sandbox/sandbox-plan.ts",
  ]);
  // Codex's login has a fixed PATH of the system's.
  expect(starts).toEqual(["login/codex-login.ts"]);
});
