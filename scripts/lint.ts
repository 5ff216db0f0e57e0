/** `npm run lint`: checks form and types of all sources; one line per tool. */
import { linters, runAll } from "./lint/linters.ts";
import { formatSetupError, setUp, toStderr } from "./setup/index.ts";

const ready = await setUp({ linters: true });
if (!ready.ok || ready.value.linters === undefined) {
  if (!ready.ok) toStderr(formatSetupError(ready.error));
  process.exit(1);
}
const results = await runAll(await linters(ready.value.linters));
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
