/**
 * Makes gVisor close the files that were written in the sandbox, so that the host can run them.
 *
 * gVisor keeps a file that was opened for writing open as long as it caches the name (runsc 20240729,
 * `dentry` in pkg/sentry/fsimpl/gofer): for each mount the last thousand names that are not in use.
 * The host cannot execute such a file: "Text file busy". Nothing inside can tell gVisor to drop a
 * name, but removing a file in an overlay does so. So an overlay is mounted over each directory, in a
 * mount namespace of its own (let-go.sh) and with an upper layer of its own: a file that is removed in
 * it is dropped from gVisor's cache, and stays where it is for every other process.
 *
 * As many files as gVisor caches are removed at most: reading them pushes out all others.
 *
 * Plain JavaScript without dependencies for Node 18 and newer.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** How many names gVisor caches for a mount without an option for it. */
const REMEMBERED = 1000;
/** gVisor closes files in batches of a hundred; this many more are closed so that no batch is open. */
const BATCH = 100;
/** How often a removal is repeated for that: two of three files may be open in programs. */
const AGAIN = 3 * BATCH;
/** The time limit for everything. */
const END = performance.now() + 8000;

const [dir = "", ...given] = process.argv.slice(2);
process.on("uncaughtException", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
// A single file cannot be covered.
const roots = given.filter((path) => lstatSync(path).isDirectory());
cover();
const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
for (const [n, root] of roots.entries()) {
  const merged = join(dir, String(n), "merged");
  // Checked again: without the overlay, the real files would be removed.
  if (mounts.findLast((mount) => mount.split(" ")[1] === merged)?.split(" ")[2] !== "overlay")
    throw new Error(`no overlay is mounted above ${root}`);
  letGo(looked(root), merged, join(dir, String(n), "upper"));
}

/** Mounts an overlay over each directory, all with one program: there may be a hundred. */
function cover() {
  const lines = roots.map((root, n) => {
    const at = join(dir, String(n));
    for (const name of ["upper", "work", "merged"]) mkdirSync(join(at, name), { recursive: true });
    // Mount options cannot contain a comma or a colon, and a path can.
    symlinkSync(root, join(at, "lower"));
    const options = `lowerdir=${at}/lower,upperdir=${at}/upper,workdir=${at}/work`;
    return `none ${at}/merged overlay ${options} 0 0\n`;
  });
  const table = join(dir, "fstab");
  writeFileSync(table, lines.join(""));
  const { status, stderr } = spawnSync("mount", ["-a", "-T", table], { encoding: "utf8" });
  if (status !== 0) throw new Error(`mount: ${stderr.trim()}`);
}

/**
 * Removes the files in the overlay only.
 *
 * @param {ReadonlyMap<string, readonly string[]>} found
 * @param {string} merged
 * @param {string} upper
 */
function letGo(found, merged, upper) {
  /** @type {[string, readonly string[]][]} */
  const gone = [];
  for (const [at, names] of found)
    inDirectory(merged, at, (opened) => {
      const removed = names.filter((name) => remove(join(opened, name)));
      if (removed.length > 0) gone.push([at, removed]);
    });
  const all = gone.flatMap(([, names]) => names).length;
  const times = Math.min(BATCH, Math.ceil(AGAIN / all));
  let left = AGAIN;
  for (const [at, names] of gone) {
    if (left <= 0 || performance.now() > END) return;
    inDirectory(upper, at, (above) => {
      inDirectory(merged, at, (opened) => {
        for (const name of names.slice(0, left))
          for (let i = 0; i < times; i++) {
            // Removing the whiteout makes the file visible again.
            remove(join(above, name));
            remove(join(opened, name));
          }
      });
    });
    left -= names.length;
  }
}

/**
 * Opens a directory below `top`, and calls `use` with its path while it is open. A directory on
 * another device than `top` is left out: any program may put a link in a directory's place at any
 * moment, and a link leads to the real files.
 *
 * @param {string} top
 * @param {string} at relative to it
 * @param {(path: string) => void} use
 */
function inDirectory(top, at, use) {
  const { O_DIRECTORY, O_NOFOLLOW } = constants;
  let fd;
  try {
    fd = openSync(join(top, at), O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return;
  }
  try {
    if (fstatSync(fd).dev === lstatSync(top).dev) use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/**
 * The files of a directory, as many as gVisor caches, without those of mounts in it.
 *
 * @param {string} root
 * @returns {Map<string, string[]>} the names in each directory, by its path relative to it
 */
function looked(root) {
  const limit = remembered(root);
  const device = lstatSync(root).dev;
  /** @type {Map<string, string[]>} */
  const found = new Map();
  const dirs = [""];
  let count = 0;
  for (const at of dirs) {
    /** @type {string[]} */
    const names = [];
    found.set(at, names);
    for (const entry of entries(join(root, at))) {
      if (count >= limit || performance.now() > END) return found;
      const path = join(at, entry.name);
      if (deviceOf(join(root, path)) !== device) continue;
      if (entry.isDirectory()) dirs.push(path);
      else count++;
      if (entry.isFile()) names.push(entry.name);
    }
  }
  return found;
}

/** @param {string} root @returns {number} */
function remembered(root) {
  const name = root.replace(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  const line = mounts.find((mount) => mount.split(" ")[1] === name);
  return Number(/\bdcache=(\d+)/.exec(line ?? "")?.[1] ?? REMEMBERED);
}

/** @param {string} path */
function entries(path) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** @param {string} path @returns {number | undefined} */
function deviceOf(path) {
  try {
    return lstatSync(path).dev;
  } catch {
    return undefined;
  }
}

/** @param {string} path @returns {boolean} */
function remove(path) {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
