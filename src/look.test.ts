import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  entriesOf,
  LookError,
  lookOutside,
  readPlainFile,
  readSmallFile,
  statsAt,
} from "./look.ts";
import { leaveOut } from "./programs.ts";

// The subject must be loaded anew to get what is put in place here, and the next file's without it.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

// Root looks at everything, whatever its mode.
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const readdir = async (path: string, options: never) => {
    if (!path.endsWith("/closed")) return real.readdir(path, options);
    throw Object.assign(new Error("injected"), { code: "EACCES" });
  };
  return { ...real, readdir };
});

let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-look-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
});

async function failure(look: Promise<unknown>): Promise<{ message: string; fix: string }> {
  const cause = await look.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(cause instanceof LookError)) throw new Error(`no LookError: ${String(cause)}`);
  return { message: cause.message, fix: cause.fix };
}

describe("the command for a look that fails", () => {
  it("opens a closed directory of the user, but not of another user", async () => {
    const closed = join(dir, "closed");
    await mkdir(closed);
    expect(await failure(entriesOf(closed))).toEqual({
      message: `${closed} cannot be accessed (EACCES)`,
      fix: `chmod u+rwx ${closed}`,
    });
    const own = process.geteuid?.() ?? 0;
    const spy = vi.spyOn(process, "geteuid").mockReturnValue(own + 1);
    onTestFinished(() => spy.mockRestore());
    const whose = own === 0 ? "root" : `the user with the number ${own}`;
    expect(await failure(entriesOf(closed))).toEqual({
      message: `${closed} cannot be accessed (EACCES): ${closed} belongs to ${whose}`,
      fix: `sudo ls -ld ${closed}`,
    });
  });

  it("names the project's topmost directory if the path is too long, and removes nothing by itself", async () => {
    const root = join(dir, "project");
    const deep = join(root, "new dir", "a/".repeat(2500));
    expect((await failure(statsAt(deep))).fix.length).toBeLessThan(500);
    leaveOut(root, []);
    const { fix } = await failure(statsAt(deep));
    const top = `'${root}/new dir'`;
    expect(fix).toBe(`ls -ld ${top} # if it is not yours: rm -r ${top}`);
    await mkdir(join(root, "new dir/a"), { recursive: true });
    expect(execaSync("sh", ["-c", fix]).stdout).toContain("new dir");
    expect(await statsAt(join(root, "new dir/a"))).toBeDefined();
  });
});

describe("a look outside the project", () => {
  it.each([
    ["EACCES", true],
    ["ELOOP", true],
    ["EMFILE", false],
    ["EIO", false],
  ])("that fails with %s means that nothing is there: %s", async (code, isAbsent) => {
    const failed = new LookError("/a", "ls", Object.assign(new Error("injected"), { code }));
    const look = lookOutside(Promise.reject(failed));
    if (isAbsent) expect(await look).toBe(undefined);
    else await expect(look).rejects.toBe(failed);
  });
});

it("a link counts as no small file, but a path that leads in a circle is a look that fails", async () => {
  await writeFile(join(dir, "file"), "text");
  await symlink("file", join(dir, "link"));
  await symlink("circle", join(dir, "circle"));
  expect(await readSmallFile(join(dir, "file"), 10)).toBe("text");
  expect(await readSmallFile(join(dir, "link"), 10)).toBeUndefined();
  await expect(readSmallFile(join(dir, "circle", ".git"), 10)).rejects.toThrow(LookError);
});

it("a file that decides something is read completely, or the reason is given", async () => {
  const pipe = join(dir, "pipe");
  execaSync("mkfifo", [pipe]);
  expect((await failure(readPlainFile(pipe, 10))).message).toBe(`${pipe} is not a plain file`);
  expect((await failure(readPlainFile(dir, 10))).message).toBe(`${dir} is not a plain file`);
  expect(await readPlainFile(join(dir, "absent"), 10)).toBe(undefined);
  expect(await readPlainFile(join(pipe, "absent"), 10)).toBe(undefined);
});
