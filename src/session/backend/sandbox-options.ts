import { err, ok, type Result } from "../../result.ts";
import type { Limits } from "../../sandbox/index.ts";
import type { UserMount } from "../../sandbox/shared/index.ts";
import type { Failure } from "../failure.ts";
import type { Settings } from "../settings/index.ts";

/** The container's limits from the settings. */
export function limitsOf({ sandbox: { memory, cpus, pids, disk } }: Settings): Partial<Limits> {
  return {
    pids,
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(disk === undefined ? {} : { tmpBytes: disk, homeBytes: disk }),
  };
}

/** The user's mounts from the settings. */
export function mountsOf({ sandbox: { mounts } }: Settings): UserMount[] {
  return mounts.map(({ target, ...mount }) => ({
    ...mount,
    ...(target === undefined ? {} : { target }),
  }));
}

/**
 * Refuses the model's key among the container's variables, where the agent could read it. This is
 * an easy mistake, and unnecessary, since the host adds the key to calls.
 *
 * Errors: `secret_inside`.
 */
export function refuseKeyInEnv(
  settings: Pick<Settings, "api_key_env" | "sandbox">,
  env: NodeJS.ProcessEnv,
): Result<void, Failure> {
  const key = env[settings.api_key_env];
  if (key === undefined || key.length < 8) return ok();
  const name = Object.entries(settings.sandbox.env).find(([, value]) => value.includes(key))?.[0];
  if (name === undefined) return ok();
  return err({
    kind: "secret_inside",
    message: `sandbox.env.${name} contains the key in ${settings.api_key_env}: the agent and everything that it runs could read it.`,
    fix: `Remove ${name} from sandbox.env. The model works without it: the key is added on this machine, outside of the sandbox.`,
  });
}
