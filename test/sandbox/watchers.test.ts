import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { sandboxOn } from "./shared.ts";
import { must, own, SLOW, scratchDir, sh } from "./support.ts";

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const WATCH = `
import { createServer } from "/opt/x/node_modules/vite/dist/node/index.js";

const server = await createServer({ root: process.cwd(), configFile: false, logLevel: "silent",
  cacheDir: "/tmp/vite", server: { middlewareMode: true, ws: false, hmr: false } });
server.watcher.on("change", (path) => console.log("change", path));
server.watcher.on("ready", () => console.log("ready"));
if (server.watcher._readyEmitted) console.log("ready");
`;

/** Starts vite's watcher inside, and gives what it has said so far. */
async function watch(sandbox: Sandbox, env: Readonly<Record<string, string>>) {
  const process = must(await sandbox.exec({ argv: ["node", "/tmp/watch.mjs"], env }));
  process.stderr.resume();
  let said = "";
  process.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await expect.poll(() => said, { timeout: 60_000 }).toContain("ready");
  return () => said;
}

it("a watcher inside sees the user's saves if it polls, as the help says", SLOW, async () => {
  const root = await scratchDir();
  for (const name of ["theirs.js", "inner.js"]) await writeFile(join(root, name), "");
  await own(join(root, "theirs.js"), join(root, "inner.js"));
  const mounts = [{ source: MODULES, target: "/opt/x/node_modules" }];
  const sandbox = await sandboxOn(root, { mounts });
  await sh(sandbox, `cat > /tmp/watch.mjs <<'END'\n${WATCH}\nEND`);
  const [polls, listens] = await Promise.all([
    watch(sandbox, { CHOKIDAR_USEPOLLING: "1", CHOKIDAR_INTERVAL: "1000" }),
    watch(sandbox, {}),
  ]);
  await appendFile(join(root, "theirs.js"), "// saved");
  await expect.poll(polls, { timeout: 60_000 }).toContain("theirs.js");
  await sh(sandbox, "echo >> inner.js");
  // The control: without polling it sees what is done inside, and nothing else.
  await expect.poll(listens, { timeout: 60_000 }).toContain("inner.js");
  expect(listens()).not.toContain("theirs.js");
});
