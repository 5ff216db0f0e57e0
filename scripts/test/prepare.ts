import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { ok, type Result } from "../../src/result.ts";
import { findEngine } from "../../src/sandbox/engine/engine.ts";
import { DIRECTFS_VARIABLE, useDirectfsEngine } from "../setup/engine/index.ts";
import { environmentOf, type Ready, type SetupError, toStderr } from "../setup/index.ts";
import { makeUser, type OrdinaryUser } from "./user.ts";

/** A user, and the environment that the tests have as that user and as root. */
export type PreparedUser = {
  readonly user: OrdinaryUser;
  readonly env: Record<string, string>;
  readonly close: () => Promise<void>;
};

/** Makes a user, and for that user the engine with directfs, which only root can start. */
export async function prepareUser(
  ready: Ready,
  { directfs }: { readonly directfs: boolean },
): Promise<Result<PreparedUser, SetupError>> {
  const engine = directfs ? await startDirectfs(ready) : undefined;
  const hosts = [ready.engine?.host, engine?.host].filter((host) => host !== undefined);
  const user = await makeUser({
    programs: ready.neovims.map(({ program }) => program),
    sockets: hosts.map((host) => host.replace(/^unix:\/\//, "")),
    files: (await Promise.all(hosts.map(runtimesOf))).flat(),
  });
  if (!user.ok) {
    await engine?.close();
    return user;
  }
  const env = environmentOf(ready);
  if (engine !== undefined) env[DIRECTFS_VARIABLE] = engine.host;
  return ok({
    ...{ user: user.value, env },
    close: async () => {
      await user.value.close();
      await engine?.close();
    },
  });
}

/** The programs of an engine's runtimes, which the plugin asks for their release. */
async function runtimesOf(host: string): Promise<string[]> {
  const found = await findEngine({ env: {}, host });
  if (!found.ok) return [];
  return Object.values(found.value.runtimes)
    .map(({ path }) => path)
    .filter((path) => path !== undefined && isAbsolute(path) && existsSync(path));
}

/** If it cannot be started, only the tests that need it fail. */
async function startDirectfs({ engine }: Ready) {
  if (engine === undefined) return undefined;
  try {
    return await useDirectfsEngine(engine.host);
  } catch (cause) {
    toStderr(`the engine with directfs cannot be started: ${String(cause)}`);
    return undefined;
  }
}
