import { randomUUID } from "node:crypto";
import { chown, lstat, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type HostFindings, PROBE } from "./probe.ts";

/** The probe's tree as it was planted. */
export type Tree = {
  readonly path: string;
  readonly canary: string;
  /** Inodes of the guarded names: a renamed directory put back by another one is harm too. */
  readonly inodes: readonly [number, number];
};

/** Makes the tree in `dir`, owned by the user that the probe runs as. */
export async function plantTree(dir: string, user: { uid: number; gid: number }): Promise<Tree> {
  // The name has what breaks mounts that are given as colon-separated text.
  const path = join(dir, "tree: ü");
  const canary = randomUUID();
  const guardedDir = join(path, PROBE.guardedDir);
  const guardedFile = join(path, PROBE.guardedFile);
  await mkdir(guardedDir, { recursive: true });
  await writeFile(join(guardedDir, PROBE.canary), canary);
  await writeFile(guardedFile, canary);
  if (process.getuid?.() === 0 && user.uid !== 0) {
    for (const it of [path, guardedDir, guardedFile, join(guardedDir, PROBE.canary)]) {
      await chown(it, user.uid, user.gid);
    }
  }
  return { path, canary, inodes: [(await stat(guardedDir)).ino, (await stat(guardedFile)).ino] };
}

/** Looks at the tree on the host, where nothing of the container's view counts. */
export async function inspectTree({ path, canary, inodes }: Tree): Promise<HostFindings> {
  const guardedDir = join(path, PROBE.guardedDir);
  const guardedFile = join(path, PROBE.guardedFile);
  const harm: string[] = [];
  const expect = (holds: boolean, otherwise: string) => {
    if (!holds) harm.push(otherwise);
  };
  expect((await inode(guardedDir)) === inodes[0], "the read-only directory was moved or replaced");
  expect((await inode(guardedFile)) === inodes[1], "the read-only file was moved or replaced");
  const names = await readdir(guardedDir).catch(() => []);
  expect(
    names.join() === PROBE.canary,
    `the read-only directory holds: ${names.join(", ") || "nothing"}`,
  );
  const inDir = await readFile(join(guardedDir, PROBE.canary), "utf8").catch(() => "");
  expect(inDir === canary, "a file in the read-only directory was changed");
  const content = await readFile(guardedFile, "utf8").catch(() => "");
  expect(content === canary, "the read-only file was changed");
  return { harm, control: await readControl(join(path, PROBE.control)) };
}

async function readControl(path: string): Promise<HostFindings["control"]> {
  try {
    const { uid, gid } = await lstat(path);
    return { content: await readFile(path, "utf8"), uid, gid };
  } catch {
    return null;
  }
}

async function inode(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).ino;
  } catch {
    return undefined;
  }
}
