import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { RELAY, settled } from "../../test/support/egress.ts";
import { encodeCredit, encodeFrame, FrameType } from "./link/frame.ts";
import { Mux } from "./link/mux.ts";

/** Starts it, with the keeper's FIFO open. */
const RELAY_SCRIPT = RELAY.replace(/\.mjs$/, ".sh");

/** The real relay as a process of its own, with what it writes to stderr. */
function startRelay(env: Record<string, string> = {}, [program, file] = [process.execPath, RELAY]) {
  const relay = spawn(program, [file], { env: { PATH: process.env["PATH"], ...env } });
  let stderr = "";
  relay.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = once(relay, "close").then(([code]) => ({ code: code as number | null, stderr }));
  onTestFinished(async () => {
    relay.stdin.destroy();
    await exited;
  });
  return { relay, exited };
}

/** The real relay with a link whose streams the test handles; returns the model's port. */
async function startLink(onStream: (stream: Duplex) => void): Promise<number> {
  const { relay } = startRelay();
  const hello = await new Promise<Buffer>((onHello, onClosed) => {
    const handlers = {
      onHello,
      onClosed,
      onStream: (_: number, stream: Duplex) => onStream(stream),
    };
    const mux = new Mux(relay.stdout, relay.stdin, handlers);
    onTestFinished(() => mux.close("the test is over"));
  });
  return (JSON.parse(hello.toString()) as { model: number }).model;
}

describe("relay.mjs", () => {
  it.each<[string, Buffer, string]>([
    ["text", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "a frame of"],
    ["a frame that is too long", header(FrameType.data, 65_537), "a frame of 65537 bytes"],
    ["a frame of unknown type", header(9, 0), "type 9"],
    ["a greeting", header(FrameType.hello, 0), "type 1"],
    ["a stream of the host's", header(FrameType.open, 0), "type 2"],
    ["credit that is not a number", header(FrameType.window, 0), "credit"],
  ])("ends with a message when it receives %s", async (_name, bytes, message) => {
    const { relay, exited } = startRelay();
    await once(relay.stdout, "data");
    relay.stdin.on("error", () => {});
    relay.stdin.write(bytes);
    const { code, stderr } = await exited;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^codex-chat relay: .*\n$/);
    expect(stderr).toContain(message);
  });

  it("ends quietly when its stdin ends", async () => {
    const { relay, exited } = startRelay();
    await once(relay.stdout, "data");
    relay.stdin.end();
    expect(await exited).toEqual({ code: 0, stderr: "" });
  });

  it("ends when its stdout is no longer read", async () => {
    const { relay, exited } = startRelay();
    const [hello] = (await once(relay.stdout, "data")) as [Buffer];
    const { model } = JSON.parse(hello.subarray(9).toString()) as { model: number };
    relay.stdout.destroy();
    const socket = connect(model, "127.0.0.1");
    socket.on("error", () => {});
    expect(await exited).toEqual({ code: 0, stderr: "" });
  });

  it("has the keeper's FIFO open for as long as it lives", async () => {
    const dir = await mkdtemp(join(tmpdir(), "relay-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const fifo = join(dir, "keeper.fifo");
    await execa("mkfifo", [fifo]);
    const { relay } = startRelay({ CODEX_CHAT_KEEPER: fifo }, ["sh", RELAY_SCRIPT]);
    await once(relay.stdout, "data");
    const reader = spawn("cat", [fifo]);
    const ended = once(reader, "close");
    // Data comes through at once, so that `cat` has it open; its end comes with the relay's.
    await writeFile(fifo, "x");
    await once(reader.stdout, "data");
    expect(reader.exitCode).toBeNull();
    relay.kill("SIGKILL");
    expect(await ended).toEqual([0, null]);
  });

  it("ends with a message when there is no keeper", async () => {
    const nowhere = { CODEX_CHAT_KEEPER: "/nowhere/keeper.fifo" };
    const { exited } = startRelay(nowhere, ["sh", RELAY_SCRIPT]);
    expect(await exited).toEqual({
      code: 1,
      stderr: "codex-chat relay: the keeper's FIFO is not there: /nowhere/keeper.fifo\n",
    });
  });

  it("ignores frames for connections that have ended", async () => {
    const { relay, exited } = startRelay();
    await once(relay.stdout, "data");
    for (const type of [FrameType.data, FrameType.end, FrameType.reset])
      relay.stdin.write(encodeFrame(type, 5));
    relay.stdin.write(encodeFrame(FrameType.window, 5, encodeCredit(1)));
    relay.stdin.end();
    expect(await exited).toEqual({ code: 0, stderr: "" });
  });
});

describe("connections through the real relay", () => {
  it("carry all bytes of many streams completely and in order, with any interleaving", async () => {
    const port = await startLink((stream) => stream.pipe(stream));
    const connection = fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(connection, { minLength: 1, maxLength: 12 }),
        fc.scheduler(),
        async (all, s) => {
          const done = all.map((sizes, n) => echo(port, sizes, n, s));
          await s.waitFor(Promise.all(done));
        },
      ),
      { numRuns: 15 },
    );
  });

  it("are half open in both directions", async () => {
    const port = await startLink((stream) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      // Answers only after the other side has ended.
      stream.on("end", () => stream.end(Buffer.concat(chunks)));
    });
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.end("all that I say");
    expect(await readAll(socket)).toEqual(Buffer.from("all that I say"));
  });

  it("are cut inside at the point where they are cut on the host", async () => {
    let stream: Duplex | undefined;
    const port = await startLink((opened) => {
      stream = opened;
      stream.write("half");
    });
    const socket = connect(port, "127.0.0.1");
    // Only then, since libuv treats data and a reset that arrive together as an ordinary end.
    socket.once("data", () => stream?.destroy());
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });

  it("wait for a reader on the host, and buffer no more than the windows allow", async () => {
    let stream: Duplex | undefined;
    const port = await startLink((opened) => {
      stream = opened;
    });
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    const total = 64 * 1024 ** 2;
    socket.write(Buffer.alloc(total, 1));
    // Bytes that are not in flight wait here; when they no longer get fewer, all buffers are full.
    await settled(() => socket.bytesWritten - socket.writableLength);
    expect(socket.writableLength).toBeGreaterThan(total / 2);
    let read = 0;
    stream?.on("data", (chunk: Buffer) => {
      read += chunk.length;
    });
    await expect.poll(() => read, { timeout: 20_000 }).toBe(total);
  });

  it("wait for a reader inside, without delaying others", async () => {
    const streams: Duplex[] = [];
    const port = await startLink((stream) => streams.push(stream));
    const slow = connect(port, "127.0.0.1");
    slow.on("error", () => {});
    onTestFinished(() => void slow.destroy());
    await expect.poll(() => streams.length).toBe(1);
    streams[0]?.write(Buffer.alloc(32 * 1024 ** 2));
    const quick = connect(port, "127.0.0.1");
    await expect.poll(() => streams.length).toBe(2);
    streams[1]?.end("quick");
    expect(await readAll(quick)).toEqual(Buffer.from("quick"));
    expect(streams[0]?.writableLength).toBeGreaterThan(8 * 1024 ** 2);
  });
});

/** Writes pieces of the given sizes when the scheduler says, and expects them back. */
async function echo(port: number, sizes: readonly number[], n: number, s: fc.Scheduler) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const answer = readAll(socket);
  const pieces = sizes.map((size, m) => Buffer.alloc(size, n * 16 + m));
  for (const piece of pieces) await s.schedule(Promise.resolve()).then(() => socket.write(piece));
  socket.end();
  expect(Buffer.concat(pieces).equals(await answer)).toBe(true);
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The header of a frame without its payload. */
function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt32BE(length, 5);
  return bytes;
}
