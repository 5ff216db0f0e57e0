/** `npm run lint`: checks form and types of all sources; one line per tool. */
import { linters, runAll } from "./lint/linters.ts";
import { formatSetupError, setUp, toStderr } from "./setup/index.ts";

const ready = await setUp({ luacheck: true });
if (!ready.ok || ready.value.luacheck === undefined) {
  if (!ready.ok) toStderr(formatSetupError(ready.error));
  process.exit(1);
}
const results = await runAll(await linters(ready.value.luacheck));
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
