/**
 * Takes a change back, and dies, or stops, before the n-th time that something is written anywhere.
 *
 * Arguments: the project, its state directory, two checkpoints, the number, and the signal.
 */
import fs, { writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { Checkpoints, reversed } from "../../src/workspace/checkpoints/index.ts";
import { Restorer } from "../../src/workspace/restore/index.ts";

const [root = "", dir = "", one = "", other = "", at = "", signal = ""] = process.argv.slice(2);
const WRITERS = [
  ...(["linkSync", "mkdirSync", "renameSync", "rmdirSync", "symlinkSync", "unlinkSync"] as const),
  ...(["fchmodSync", "fsyncSync", "writeSync"] as const),
];
let count = 0;
for (const name of WRITERS) {
  const real = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      if (count++ === Number(at)) process.kill(process.pid, signal);
      return real(...args);
    },
  });
}
syncBuiltinESMExports();

const checkpoints = new Checkpoints({ root, dir, excludes: async () => "", foreign: () => [] });
const restorer = new Restorer(root, checkpoints, dir);
const compared = await checkpoints.compare(one, other);
if (!compared.ok) throw new Error(compared.error.message);
const done = await restorer.change({
  ...{ title: "taking it back", sets: [reversed(compared.value)], note: { turn: 3 } },
  record: async () => writeFileSync(join(dir, "recorded"), ""),
  signal: new AbortController().signal,
});
if (!done.ok) throw new Error(done.error.message);
process.stdout.write(`${count}`);
