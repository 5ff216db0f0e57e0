/**
 * The inner half of the way out: listens on loopback inside the sandbox and carries each
 * connection as frames over its own stdin and stdout, which lead to the host.
 *
 * Plain JavaScript without dependencies for Node 18 and newer. It holds no secret and enforces
 * nothing: any program inside could take its place. The host decides what is allowed.
 *
 * A frame is `u8 type, u32be stream, u32be length, payload`; see src/egress/link/frame.ts.
 */
import { createServer } from "node:net";

const HELLO = 1;
const OPEN = 2;
const DATA = 3;
const END = 4;
const RESET = 5;
const WINDOW = 6;

const HEADER_BYTES = 9;
const MAX_PAYLOAD = 64 * 1024;
/** How many bytes may be in flight to either side before the receiver grants more. */
const WINDOW_BYTES = 256 * 1024;
const MODEL_PORT = 1;
const PROXY_PORT = 2;
/** The first of the services of the user's machine that the host has named. */
const LOCAL_PORT = 3;

/**
 * @typedef {object} Stream
 * @property {import("node:net").Socket} socket
 * @property {number} credit bytes that the host still accepts
 * @property {number} owed bytes that the socket has taken and the host has no new credit for yet
 * @property {Buffer[]} waiting data of the connection that the host has given no credit for
 * @property {boolean} closed the connection has ended, and only `waiting` is left
 */

/** @type {Map<number, Stream>} */
const streams = new Map();
let nextStream = 1;

// First, because the other listeners may take any port.
const local = (process.env["CODEX_CHAT_LOCAL"] ?? "").split(",").filter(Boolean).map(Number);
for (const [n, port] of local.entries()) listenAs(port, LOCAL_PORT + n);

/** The ports of an earlier relay, so that running programs find this one. */
const [modelAt = 0, proxyAt = 0] = (process.env["CODEX_CHAT_PORTS"] ?? "").split(",").map(Number);
const ports = await Promise.all([listen(MODEL_PORT, modelAt), listen(PROXY_PORT, proxyAt)]);
send(HELLO, 0, Buffer.from(JSON.stringify({ version: 1, model: ports[0], proxy: ports[1] })));

let unread = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
  let at = 0;
  while (unread.length - at >= HEADER_BYTES) {
    const length = unread.readUInt32BE(at + 5);
    if (length > MAX_PAYLOAD) fail(`the host sent a frame of ${length} bytes`);
    if (unread.length - at < HEADER_BYTES + length) break;
    const payload = unread.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    receive(unread.readUInt8(at), unread.readUInt32BE(at + 1), payload);
    at += HEADER_BYTES + length;
  }
  unread = unread.subarray(at);
});
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdout.on("error", () => process.exit(0));
// While the host does not read, nothing more is read from the connections.
process.stdout.on("drain", () => {
  for (const stream of streams.values()) if (stream.credit > 0) stream.socket.resume();
});

/**
 * @param {number} port which of the host's two services
 * @param {number} at where to listen; 0 lets the system choose
 * @returns {Promise<number>} its port here
 */
function listen(port, at) {
  const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
  const server = createServer(options, (socket) => open(port, socket));
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(at, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

/**
 * Listens for a service of the user's machine at that service's own port, unless the port is taken.
 *
 * @param {number} port where programs look for it
 * @param {number} service which one it is for the host
 */
function listenAs(port, service) {
  const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
  for (const address of ["127.0.0.1", "::1"]) {
    const server = createServer(options, (socket) => open(service, socket));
    server.on("error", (error) => {
      if (address === "127.0.0.1")
        process.stderr.write(`codex-chat relay: port ${port} leads nowhere: ${error.message}\n`);
    });
    server.listen(port, address);
  }
}

/** @param {number} port @param {import("node:net").Socket} socket */
function open(port, socket) {
  const id = nextStream++;
  /** @type {Stream} */
  const stream = { socket, credit: WINDOW_BYTES, owed: 0, waiting: [], closed: false };
  streams.set(id, stream);
  send(OPEN, id, Buffer.from([port]));
  socket.on("data", (chunk) => {
    stream.waiting.push(chunk);
    pump(id, stream);
  });
  socket.on("end", () => {
    stream.waiting.push(Buffer.alloc(0));
    pump(id, stream);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    const clean = socket.readableEnded && socket.writableFinished;
    stream.closed = true;
    if (clean && stream.waiting.length > 0) return;
    if (streams.delete(id) && !clean) send(RESET, id);
  });
  socket.resume();
}

/**
 * Sends the connection's data, as far as the host has granted credit; an empty chunk is the end.
 *
 * @param {number} id
 * @param {Stream} stream
 */
function pump(id, stream) {
  let flowing = true;
  for (;;) {
    const chunk = stream.waiting[0];
    if (chunk === undefined) break;
    if (chunk.length === 0) {
      send(END, id);
      stream.waiting.shift();
      continue;
    }
    if (stream.credit === 0) break;
    const part = chunk.subarray(0, Math.min(stream.credit, MAX_PAYLOAD));
    stream.credit -= part.length;
    flowing = send(DATA, id, part);
    if (part.length === chunk.length) stream.waiting.shift();
    else stream.waiting[0] = chunk.subarray(part.length);
  }
  if (stream.closed && stream.waiting.length === 0) streams.delete(id);
  if (stream.credit === 0 || !flowing) stream.socket.pause();
  else stream.socket.resume();
}

/** @param {number} type @param {number} id @param {Buffer} payload */
function receive(type, id, payload) {
  if (type < DATA || type > WINDOW) fail(`the host sent a frame of type ${type}`);
  if (type === WINDOW && payload.length !== 4) fail("the host granted credit wrongly");
  const stream = streams.get(id);
  // The connection may have closed while the frame was in flight.
  if (stream === undefined) return;
  const { socket } = stream;
  if (type === DATA) socket.write(payload, () => grant(id, stream, payload.length));
  else if (type === END) socket.end();
  else if (type === RESET) {
    streams.delete(id);
    // After an end the answer is complete, and is delivered before the connection closes.
    if (socket.writableEnded) socket.destroySoon();
    else socket.resetAndDestroy();
  } else {
    stream.credit += payload.readUInt32BE(0);
    pump(id, stream);
  }
}

/**
 * Grants the host new credit, in few frames.
 *
 * @param {number} id
 * @param {Stream} stream
 * @param {number} bytes
 */
function grant(id, stream, bytes) {
  stream.owed += bytes;
  if (stream.owed < WINDOW_BYTES / 4 || !streams.has(id)) return;
  const credit = Buffer.alloc(4);
  credit.writeUInt32BE(stream.owed);
  stream.owed = 0;
  send(WINDOW, id, credit);
}

/** @param {number} type @param {number} id @param {Buffer} [payload] @returns {boolean} go on? */
function send(type, id, payload = Buffer.alloc(0)) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(id, 1);
  header.writeUInt32BE(payload.length, 5);
  return process.stdout.write(payload.length === 0 ? header : Buffer.concat([header, payload]));
}

/** @param {string} why @returns {never} */
function fail(why) {
  process.stderr.write(`codex-chat relay: ${why}\n`);
  process.exit(1);
}
