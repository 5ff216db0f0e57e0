import { Readable } from "node:stream";

/** Docker's frame header: stream type, three zero bytes, big-endian payload length. */
const HEADER_BYTES = 8;

/** The two streams that the engine sends as one; both must be read or resumed. */
export type Demuxed = {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the source has ended or failed; never rejects. */
  readonly ended: Promise<{ readonly error?: Error }>;
};

/**
 * Splits the engine's multiplexed output. Nothing is buffered beyond the readers' high-water
 * marks: while one of them is full, the source is not read, so the process inside is held back.
 * (docker-modem's own demultiplexer ignores backpressure and copies its buffer at every frame.)
 *
 * SECURITY: the payload is whatever the sandbox wrote; the headers are the engine's.
 */
export function demux(source: AsyncIterable<Buffer>): Demuxed {
  const stdout = outlet();
  const stderr = outlet();
  const ended = pump(source, stdout, stderr).then(
    () => ({}),
    (cause: unknown) => ({ error: cause instanceof Error ? cause : new Error(String(cause)) }),
  );
  const settled = ended.then((end) => {
    // Push null rather than destroy: what was received is still read before the end.
    stdout.readable.push(null);
    stderr.readable.push(null);
    return end;
  });
  return { stdout: stdout.readable, stderr: stderr.readable, ended: settled };
}

type Outlet = { readonly readable: Readable; readonly write: (chunk: Buffer) => Promise<void> };

function outlet(): Outlet {
  let wake: () => void = () => {};
  const readable = new Readable({
    read: () => wake(),
    destroy: (error, done) => {
      wake();
      done(error);
    },
  });
  const write = async (chunk: Buffer): Promise<void> => {
    // A destroyed stream drops its part; the other one goes on.
    if (readable.destroyed || readable.push(chunk)) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (readable.destroyed) resolve();
    });
  };
  return { readable, write };
}

async function pump(source: AsyncIterable<Buffer>, stdout: Outlet, stderr: Outlet): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let remaining = 0;
  let target = stdout;
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      if (remaining > 0) {
        const part = chunk.subarray(at, at + remaining);
        at += part.length;
        remaining -= part.length;
        await target.write(part);
        continue;
      }
      const taken = chunk.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes);
      at += taken;
      headerBytes += taken;
      if (headerBytes < HEADER_BYTES) continue;
      headerBytes = 0;
      target = streamOf(header[0]) === "stdout" ? stdout : stderr;
      remaining = header.readUInt32BE(4);
    }
  }
  if (remaining > 0 || headerBytes > 0) throw new Error("the engine's stream ended within a frame");
}

function streamOf(type: number | undefined): "stdout" | "stderr" {
  if (type === 0 || type === 1) return "stdout";
  // 3 is the engine's own error text.
  if (type === 2 || type === 3) return "stderr";
  throw new Error(`the engine's stream has a frame of unknown type ${type}`);
}
