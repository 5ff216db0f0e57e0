import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { onTestFinished } from "vitest";
import type { Engine } from "../../src/sandbox/engine/engine.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox-plan.ts";

/** Starts the fixture, a host process of its own, on the given project. */
export async function startHost(
  engine: Engine,
  how: SandboxOptions,
): Promise<{ host: ChildProcess; name: string }> {
  const outdir = await mkdtemp(fileURLToPath(new URL("../../.cache/test-host-", import.meta.url)));
  onTestFinished(() => rm(outdir, { recursive: true, force: true }));
  const outfile = join(outdir, "host.mjs");
  const entry = fileURLToPath(new URL("fixtures/host.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  const { owner: _owner, signal: _signal, ...rest } = how;
  const host = spawn(process.execPath, [outfile, JSON.stringify({ ...rest, host: engine.host })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void host.kill("SIGKILL"));
  const [name] = await Promise.race([
    once(host.stdout as NodeJS.ReadableStream, "data"),
    once(host, "exit").then(() => Promise.reject(new Error("the host ended"))),
  ]);
  return { host, name: String(name).trim() };
}

/** Kills a host and waits for its end. */
export async function kill(host: ChildProcess): Promise<void> {
  host.kill("SIGKILL");
  await once(host, "exit");
}
