import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A held lock; `release` is idempotent. */
export type Lock = {
  readonly release: () => void;
  readonly [Symbol.dispose]: () => void;
};

/**
 * Takes a lock that all processes of this machine see under the same `name`, waiting for its
 * holder. It is an abstract unix socket: the kernel frees the name when its holder dies in
 * whatever way, and a waiter learns of it at once because its connection to the holder ends.
 *
 * Rejects with `signal.reason` when aborted.
 */
export async function takeLock(
  name: string,
  options: { signal?: AbortSignal } = {},
): Promise<Lock> {
  for (;;) {
    const lock = await tryLock(name, options);
    if (lock !== undefined) return lock;
    await holderGone(name, options.signal);
  }
}

/** Takes the lock if nobody holds it. */
export async function tryLock(
  name: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Lock | undefined> {
  signal?.throwIfAborted();
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => waiting.delete(socket));
  });
  server.listen(lockAddress(name));
  try {
    await once(server, "listening");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw cause;
  }
  server.unref();
  const release = () => close(server, waiting);
  if (signal?.aborted === true) {
    release();
    throw signal.reason;
  }
  return { release, [Symbol.dispose]: release };
}

function close(server: Server, waiting: ReadonlySet<Socket>): void {
  if (server.listening) server.close();
  for (const socket of waiting) socket.destroy();
}

/** Resolves when the present holder has released the lock or died. */
async function holderGone(name: string, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const socket = connect(lockAddress(name));
  const stop = () => socket.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  signal?.throwIfAborted();
}

/** As many bytes as a socket's address has room for on Linux. */
const ADDRESS_BYTES = 108;

/**
 * The leading NUL makes it an abstract name: no file, so none to be left behind. It fills the
 * address: of a shorter one, Node 20 (libuv 1.46) adds the NULs behind it to the name and Node 22
 * does not, and neither would see the other's lock.
 */
export function lockAddress(name: string): string {
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 32);
  return `\0codex-chat/${process.getuid?.() ?? 0}/${hash}`.padEnd(ADDRESS_BYTES, ".");
}
