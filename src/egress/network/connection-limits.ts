import type { Socket } from "node:net";
import type { NetworkLimits } from "./policy.ts";

const CHECK_MS = 1000;

/** What a connection has carried by its end. */
export type SocketEnd = {
  /** From the other host. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ms: number;
  /** Which limit ended it. */
  readonly cut?: "idle" | "bytes";
};

/** Closes a connection that is idle or carries too much; reports what it has carried. */
export function watchSocket(
  socket: Socket,
  { connectionIdleMs, maxConnectionBytes }: NetworkLimits,
  onEnd: (end: SocketEnd) => void,
): void {
  const began = performance.now();
  let carriedBytes = 0;
  let carriedAt = began;
  let cut: SocketEnd["cut"];
  const timer = setInterval(
    () => {
      const bytes = socket.bytesRead + socket.bytesWritten;
      const now = performance.now();
      if (bytes !== carriedBytes) carriedAt = now;
      carriedBytes = bytes;
      if (bytes > maxConnectionBytes) cut = "bytes";
      else if (now - carriedAt >= connectionIdleMs) cut = "idle";
      if (cut !== undefined) socket.destroy();
    },
    Math.min(CHECK_MS, connectionIdleMs),
  );
  timer.unref();
  const end = () => {
    clearInterval(timer);
    onEnd({
      bytesIn: socket.bytesRead,
      bytesOut: socket.bytesWritten,
      ms: Math.round(performance.now() - began),
      ...(cut === undefined ? {} : { cut }),
    });
  };
  if (socket.destroyed) end();
  else socket.once("close", end);
}
