/** `npm run format`: rewrites the sources the way `npm run lint` wants them. */
import { formatters, runAll } from "./lint/linters.ts";

const results = await runAll(await formatters());
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
