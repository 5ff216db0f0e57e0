/**
 * `npm run format`: rewrites the sources the way `npm run lint` wants them, and makes those that are
 * made from others.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatters, runAll } from "./lint/linters.ts";
import { WIRE_TYPES, wireTypes } from "./lua/wire-types.ts";
import { checkout } from "./setup/index.ts";

writeFileSync(join(checkout, WIRE_TYPES), wireTypes());
const results = await runAll(await formatters());
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
