/**
 * `node scripts/run.mjs engine`: holds the private engine until interrupted, for work on the
 * plugin by hand.
 */
import { once } from "node:events";
import { setUpBaseImage } from "./setup/base-image.ts";
import { usePrivateEngine } from "./setup/engine.ts";

const engine = await usePrivateEngine();
const image = await setUpBaseImage(engine.host);
console.log(`DOCKER_HOST=${engine.host} base image ${image}; Ctrl-C ends it`);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await engine.close();
process.exit(0);
