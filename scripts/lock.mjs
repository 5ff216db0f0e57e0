/**
 * A lock between processes, in plain JavaScript because `run.mjs` needs it before anything is
 * installed or built: a short form of `src/sandbox/locks/machine-lock.ts`. flock(1) locks the open file
 * that it inherits. The file stays locked here after flock has ended, and the kernel frees it however
 * this process dies. The directory belongs to this user alone, so nobody else can hold the lock.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, constants, lstatSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs `work` while no other process of this user holds the lock of that name in `dir`, which is
 * created if it is absent. The file of a lock is never removed.
 *
 * @template T
 * @param {{ dir: string, name: string }} place
 * @param {() => Promise<T>} work
 * @param {{ onWait?: () => void }} [options] `onWait` is called once if another process holds it.
 * @returns {Promise<T>}
 */
export async function withLock({ dir, name }, work, { onWait } = {}) {
  const file = openLockFile(dir, name);
  // A user who may not write in the checkout cannot build there either.
  if (file === undefined) return work();
  try {
    if (!(await flock(file, ["-n"]))) {
      onWait?.();
      await flock(file, []);
    }
    return await work();
  } finally {
    closeSync(file);
  }
}

/**
 * @param {string} dir
 * @param {string} name
 * @returns {number | undefined} undefined if this user may not write
 */
function openLockFile(dir, name) {
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 32);
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const stat = lstatSync(dir);
    if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0)
      throw new Error(`${dir} is not this user's alone; move it away and try again`);
    return openSync(join(dir, `${hash}.lock`), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EACCES" || code === "EROFS") return undefined;
    throw error;
  }
}

/**
 * @param {number} file
 * @param {string[]} args
 * @returns {Promise<boolean>} false if it was not to wait and somebody holds the lock
 */
function flock(file, args) {
  const child = spawn("flock", ["-x", ...args, "3"], { stdio: ["ignore", "ignore", 2, file] });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(new Error("flock is missing: sudo apt-get install util-linux", { cause })),
    );
    child.on("close", (code, by) => {
      if (code === 0) resolve(true);
      else if (code === 1 && args.includes("-n")) resolve(false);
      else reject(new Error(`flock ended with ${code ?? by}`));
    });
  });
}
