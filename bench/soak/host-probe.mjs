/**
 * Loaded into the host by `NODE_OPTIONS`: at SIGUSR2 it collects garbage and writes down what the
 * process holds, which nobody can see from outside.
 */
import { renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const dir = process.env["CODEX_CHAT_SOAK_DIR"];

if (dir !== undefined && process.argv[1]?.endsWith("host.mjs")) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  process.on("SIGUSR2", () => {
    collect();
    /** @type {Record<string, number>} */
    const resources = {};
    for (const name of process.getActiveResourcesInfo())
      resources[name] = (resources[name] ?? 0) + 1;
    const path = `${dir}/host-${process.pid}.json`;
    const { heapUsed, external } = process.memoryUsage();
    writeFileSync(`${path}.part`, JSON.stringify({ heapUsed, external, resources }));
    renameSync(`${path}.part`, path);
  });
}
