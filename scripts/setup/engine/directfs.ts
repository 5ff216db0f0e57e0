import { findEngine } from "../../../src/sandbox/engine/engine.ts";
import { BASE_IMAGE, setUpBaseImage } from "./base-image.ts";
import { type UsedEngine, usePrivateEngine } from "./engine.ts";

/** Names the engine of {@link useDirectfsEngine} to tests that cannot start it themselves. */
export const DIRECTFS_VARIABLE = "CODEX_CHAT_DIRECTFS_ENGINE";

/** A runtime: gVisor with directfs, in which a release before 20250707 forgets read-only mounts. */
export const DIRECTFS_RUNTIME = "runsc-directfs";

/** An engine that knows `DIRECTFS_RUNTIME` and has this image. */
export type DirectfsEngine = Pick<UsedEngine, "host" | "close"> & { readonly baseImage: string };

/** Returns an engine that runs the `runsc` of `host` with directfs: the named one, or a new one. */
export async function useDirectfsEngine(host: string): Promise<DirectfsEngine> {
  const named = process.env[DIRECTFS_VARIABLE];
  if (named !== undefined) return { host: named, baseImage: BASE_IMAGE, close: async () => {} };
  const found = await findEngine({ env: {}, host });
  const path = found.ok ? found.value.runtimes["runsc"]?.path : undefined;
  if (path === undefined) throw new Error(`the engine at ${host} has no runsc`);
  const engine = await usePrivateEngine({
    name: "engine-directfs",
    extraRuntimes: { [DIRECTFS_RUNTIME]: { path, runtimeArgs: ["--network=none"] } },
  });
  const { close } = engine;
  return { host: engine.host, baseImage: await setUpBaseImage(engine.host), close };
}

/** Whether tests with directfs can run: the engine is there, or this user may start it. */
export function hasDirectfs(): boolean {
  return process.env[DIRECTFS_VARIABLE] !== undefined || process.getuid?.() === 0;
}
