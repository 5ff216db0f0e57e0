// Stands where the host's process stands and carries its stdio to the test, which is the host.
import { connect } from "node:net";

const socket = connect(process.argv[2] ?? "");
process.stdin.pipe(socket);
socket.pipe(process.stdout);
socket.on("error", () => process.exit(1));
socket.on("close", () => process.exit(Number(process.env["CODEX_CHAT_TEST_EXIT"] ?? 0)));
