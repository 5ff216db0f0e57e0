/** `npm run setup`: prepares everything that trying, testing and linting the plugin needs. */
import { environmentOf, formatSetupError, setUp, toStderr } from "./setup/index.ts";

const started = performance.now();
const ready = await setUp({ neovim: "tested", engine: true, linters: true });
if (!ready.ok) {
  toStderr(formatSetupError(ready.error));
  process.exit(1);
}
await ready.value.close();
for (const { program, version } of ready.value.neovims)
  console.log(`Neovim ${version}: ${program}`);
const { CODEX_CHAT_BASE_IMAGE: image } = environmentOf(ready.value);
const base = image === undefined ? "" : `, base image ${image}`;
const origin = ready.value.engine?.isPrivate === true ? "private, started when needed" : "yours";
console.log(`Engine with gVisor: ${ready.value.engine?.host ?? "none"} (${origin}${base})`);
toStderr(`all is ready (${((performance.now() - started) / 1000).toFixed(1)} s)`);
