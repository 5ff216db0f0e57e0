/**
 * A lock between processes, in plain JavaScript because `run.mjs` needs it before anything is
 * installed or built. It is an abstract unix socket: the kernel frees the name when its holder
 * dies in whatever way, and a waiter learns of it because its connection ends.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Runs `work` while no other process of this machine holds the lock of that name.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @param {{ onWait?: () => void }} [options] `onWait` is called once if another process holds it.
 * @returns {Promise<T>}
 */
export async function withLock(name, work, { onWait } = {}) {
  let release = await tryLock(name);
  if (release === undefined) onWait?.();
  while (release === undefined) {
    await holderGone(name);
    release = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * @param {string} name
 * @returns {Promise<(() => void) | undefined>} undefined while somebody else holds it
 */
async function tryLock(name) {
  /** @type {Set<import("node:net").Socket>} */
  const waiting = new Set();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => waiting.delete(socket));
  });
  server.listen(address(name));
  try {
    await once(server, "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
  server.unref();
  return () => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
}

/** @param {string} name */
function holderGone(name) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const socket = connect(address(name));
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    })
  );
}

/** @param {string} name */
function address(name) {
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 32);
  // The leading NUL makes the name abstract: there is no file that could be left behind.
  return `\0codex-chat-scripts/${process.getuid?.() ?? 0}/${hash}`;
}
