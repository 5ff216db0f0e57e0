/**
 * Has gVisor let go of the files that were written in the sandbox, so that the host can run them.
 *
 * gVisor keeps a file that was opened for writing open for as long as it remembers the name (runsc
 * 20240729, `dentry` in pkg/sentry/fsimpl/gofer): for each mounted directory the last thousand that
 * were used and are not in use. The host then cannot execute it: "Text file busy". Nothing inside
 * can ask gVisor to forget, but an overlay does so for the files that it covers. One is mounted
 * above each directory by let-go.sh, in a name space of its own with a writable layer of its own:
 * what is removed in it is forgotten by gVisor and stays where it is for everybody else.
 *
 * At most as many files as gVisor remembers are looked at, which pushes all others out.
 *
 * Plain JavaScript without dependencies for Node 18 and newer.
 */
import { lstatSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";

/** How many names gVisor remembers for a mount that does not say. */
const REMEMBERED = 1000;
/** gVisor closes files in batches of a hundred: so many more are closed that all are. */
const BATCH = 100;
/** How long it may take altogether. */
const END = performance.now() + 8000;

const [dir = "", ...roots] = process.argv.slice(2);
const mounts = readFileSync("/proc/self/mounts", "utf8");
roots.forEach((root, n) => {
  letGo(root, join(dir, String(n), "merged"), join(dir, String(n), "upper"));
});

/** @param {string} root @param {string} merged @param {string} upper */
function letGo(root, merged, upper) {
  const gone = [];
  for (const file of looked(root)) if (remove(join(merged, file))) gone.push(file);
  const [again] = gone;
  if (again === undefined) return;
  for (let i = 0; i < BATCH; i++) {
    // Without the mark of its removal the file is there once more.
    remove(join(upper, again));
    remove(join(merged, again));
  }
}

/**
 * The files of a directory, as many as gVisor remembers; what is mounted in it is left out.
 *
 * @param {string} root
 * @returns {string[]} relative to it
 */
function looked(root) {
  const limit = remembered(root);
  const device = lstatSync(root).dev;
  const files = [];
  const dirs = [""];
  let count = 0;
  for (const at of dirs) {
    for (const entry of entries(join(root, at))) {
      if (count >= limit || performance.now() > END) return files;
      const path = join(at, entry.name);
      if (deviceOf(join(root, path)) !== device) continue;
      if (entry.isDirectory()) dirs.push(path);
      else count++;
      if (entry.isFile()) files.push(path);
    }
  }
  return files;
}

/** @param {string} root @returns {number} */
function remembered(root) {
  const name = root.replace(
    /[ \t\n\\]/g,
    (it) => `\\${it.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  const line = mounts.split("\n").find((it) => it.split(" ")[1] === name);
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
