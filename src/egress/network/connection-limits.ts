import type { Socket } from "node:net";
import type { NetworkLimits } from "./policy.ts";

const LOOK_MS = 1000;

/** What a connection has carried when it is over. */
export type SocketEnd = {
  /** From the other host. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ms: number;
  /** Which limit ended it. */
  readonly cut?: "idle" | "bytes";
};

/** Ends a connection that carries nothing any more, or too much, and tells what it carried. */
export function watchSocket(
  socket: Socket,
  { connectionIdleMs, maxConnectionBytes }: NetworkLimits,
  onEnd: (end: SocketEnd) => void,
): void {
  const began = performance.now();
  let carried = 0;
  let carriedAt = began;
  let cut: SocketEnd["cut"];
  const look = setInterval(
    () => {
      const bytes = socket.bytesRead + socket.bytesWritten;
      const now = performance.now();
      if (bytes !== carried) carriedAt = now;
      carried = bytes;
      if (bytes > maxConnectionBytes) cut = "bytes";
      else if (now - carriedAt >= connectionIdleMs) cut = "idle";
      if (cut !== undefined) socket.destroy();
    },
    Math.min(LOOK_MS, connectionIdleMs),
  );
  look.unref();
  const end = () => {
    clearInterval(look);
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
