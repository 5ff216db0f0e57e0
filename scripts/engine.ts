/**
 * `node scripts/run.mjs engine`: holds an engine until interrupted, for work on the plugin by hand.
 * Prints shell lines that point the tests and docker at it.
 */
import { once } from "node:events";
import { setUpBaseImage, usePrivateEngine } from "./setup/engine/index.ts";

const [name = "engine"] = process.argv.slice(2);
const interrupted = Promise.race([
  once(process, "SIGINT"),
  once(process, "SIGTERM"),
  once(process, "SIGHUP"),
]);
await using engine = await usePrivateEngine({ name });
const image = await setUpBaseImage(engine.host);
console.log(`export CODEX_CHAT_ENGINE=${engine.host} CODEX_CHAT_BASE_IMAGE=${image}`);
console.error(`codex-chat: dockerd has pid ${engine.pid}; Ctrl-C ends it`);
await interrupted;
