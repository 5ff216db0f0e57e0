import { randomUUID } from "node:crypto";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { MOUNT_ATTACKS, PROBE } from "./probe-attacks.ts";

/** The probe's tree as it was made. */
export type Tree = {
  readonly path: string;
  readonly canary: string;
  /** Inodes of the guarded names: replacing a directory by another one is harm, too. */
  readonly inodes: readonly [number, number];
};

/** What the host found in the tree after the probe had run. */
export type HostFindings = {
  /** Changes under guarded names, in words, by the attack that left its mark; "" without a mark. */
  readonly harm: readonly { readonly attack: string; readonly what: string }[];
  readonly control: { readonly content: string; readonly uid: number; readonly gid: number } | null;
};

/** Makes the tree in `dir`, owned by the user that the probe runs as. */
export async function plantTree(dir: string, user: { uid: number; gid: number }): Promise<Tree> {
  // The name has characters that break mounts in colon-separated text.
  const path = join(dir, "tree: ü");
  const canary = randomUUID();
  const guardedDir = join(path, PROBE.guardedDir);
  const guardedFile = join(path, PROBE.guardedFile);
  await mkdir(guardedDir, { recursive: true });
  const names = [PROBE.canary, ...MOUNT_ATTACKS.map(({ name }) => PROBE.canaryOf(name))];
  const files = [guardedFile, ...names.map((name) => join(guardedDir, name))];
  for (const file of files) await writeFile(file, `${canary}\n`);
  if (process.getuid?.() === 0 && user.uid !== 0) {
    for (const owned of [path, guardedDir, ...files]) await chown(owned, user.uid, user.gid);
  }
  return { path, canary, inodes: [(await stat(guardedDir)).ino, (await stat(guardedFile)).ino] };
}

/** Inspects the tree on the host, independent of the container's view. */
export async function inspectTree({ path, canary, inodes }: Tree): Promise<HostFindings> {
  const guardedDir = join(path, PROBE.guardedDir);
  const guardedFile = join(path, PROBE.guardedFile);
  const harm: { attack: string; what: string }[] = [];
  const expect = (holds: boolean, attack: string, what: string) => {
    if (!holds) harm.push({ attack, what });
  };
  const names: string[] = await readdir(guardedDir).catch(() => []);
  const lines = (await readFile(guardedFile, "utf8").catch(() => "")).split("\n");
  const known = new Set<string>([PROBE.canary]);
  for (const { name } of MOUNT_ATTACKS) {
    known.add(PROBE.canaryOf(name)).add(PROBE.harmOf(name));
    expect(!names.includes(PROBE.harmOf(name)), name, "a file was made in the read-only directory");
    expect(!lines.includes(name), name, "the read-only file was written to");
    const kept = names.includes(PROBE.canaryOf(name));
    // If the whole directory is gone, that is reported once, below.
    expect(kept || names.length === 0, name, "a file in the read-only directory was removed");
  }
  expect(
    (await inode(guardedDir)) === inodes[0],
    "",
    "the read-only directory was moved or replaced",
  );
  expect((await inode(guardedFile)) === inodes[1], "", "the read-only file was moved or replaced");
  const strange = names.filter((name) => !known.has(name));
  expect(strange.length === 0, "", `the read-only directory holds ${strange.join(", ")}`);
  const inDir = await readFile(join(guardedDir, PROBE.canary), "utf8").catch(() => "");
  expect(inDir === `${canary}\n`, "", "a file in the read-only directory was changed");
  expect(
    lines.join("\n") === `${canary}\n` || harm.length > 0,
    "",
    "the read-only file was changed",
  );
  return { harm, control: await readControl(join(path, PROBE.control)) };
}

/** Servers on this machine that the probe must not reach. */
export type Listeners = {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The servers that were reached. */
  readonly reached: ReadonlySet<"loopback" | "unix">;
  readonly close: () => Promise<void>;
};

/** Listens where a container must not get: on loopback, and on a socket in the tree. */
export async function listenAround(tree: Tree): Promise<Listeners> {
  const reached = new Set<"loopback" | "unix">();
  const servers: Server[] = [];
  const listen = async (
    name: "loopback" | "unix",
    at: { path: string } | { port: 0; host: string },
  ) => {
    const server = createServer((socket) => {
      reached.add(name);
      socket.destroy();
    });
    servers.push(server);
    server.unref();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, resolve);
    });
    return server;
  };
  // By way of /proc, because a socket's path may have at most 107 bytes.
  const dir = await open(tree.path);
  const close = async () => {
    for (const server of servers) {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    }
    // Only now: a server removes its socket by this path.
    await dir.close();
  };
  try {
    const server = await listen("loopback", { port: 0, host: "127.0.0.1" });
    await listen("unix", { path: `/proc/self/fd/${dir.fd}/${PROBE.socket}` });
    await chmod(join(tree.path, PROBE.socket), 0o777);
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return { port, reached, close };
  } catch (cause) {
    await close();
    throw cause;
  }
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
