/**
 * Runs under PID 1 and keeps the container alive: it exits, and the container with it, when no relay
 * has been connected for a while. So nothing is left running even if every process on the host was
 * killed with -9: the engine then closes the relays' stdin, the relays end, and their connections to
 * the socket below close.
 *
 * Plain JavaScript without dependencies for Node 18 and newer. It trusts nobody: it counts
 * connections and discards their data. A program inside can keep the container alive by connecting, or
 * end it by killing the keeper; neither affects the host.
 */
import { rmSync } from "node:fs";
import { createServer } from "node:net";

const socketPath = process.env["CODEX_CHAT_KEEPER"] ?? "/run/codex-chat/keeper.sock";
const idleMs = milliseconds(process.env["CODEX_CHAT_KEEPER_IDLE_MS"], 60_000);
const firstMs = milliseconds(process.env["CODEX_CHAT_KEEPER_FIRST_MS"], 120_000);

let connections = 0;
let countdown = setTimeout(end, firstMs);

const server = createServer((socket) => {
  connections++;
  clearTimeout(countdown);
  socket.on("error", () => {});
  socket.on("close", () => {
    connections--;
    if (connections === 0) countdown = setTimeout(end, idleMs);
  });
  socket.resume();
});
server.on("error", (error) => {
  process.stderr.write(`codex-chat keeper: ${socketPath}: ${error.message}\n`);
  process.exit(1);
});
rmSync(socketPath, { force: true });
// The host waits for this word, so that no relay is started before the socket exists.
server.listen(socketPath, () => process.stdout.write("ready\n"));

process.stdout.on("error", () => {});
process.on("SIGTERM", end);
process.on("SIGINT", end);

function end() {
  process.exit(0);
}

/**
 * @param {string | undefined} text
 * @param {number} fallback
 */
function milliseconds(text, fallback) {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : fallback;
}
