import { err, ok, type Result } from "../../result.ts";
import type { Limits } from "../../sandbox/index.ts";
import type { UserMount } from "../../sandbox/shared/index.ts";
import type { Failure } from "../failure.ts";
import type { Settings } from "../settings/index.ts";

/** The limits that the user has set. */
export function limitsOf({ sandbox: { memory, cpus, pids, disk } }: Settings): Partial<Limits> {
  return {
    pids,
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(disk === undefined ? {} : { tmpBytes: disk, homeBytes: disk }),
  };
}

/** The user's own mounts. */
export function mountsOf({ sandbox: { mounts } }: Settings): UserMount[] {
  return mounts.map(({ target, ...mount }) => ({
    ...mount,
    ...(target === undefined ? {} : { target }),
  }));
}

/**
 * Refuses a key of the model among the variables for the container, where the agent would read it:
 * it is a mistake that is easily made, and the host adds the key without that.
 *
 * Errors: `secret_inside`.
 */
export function checkEnv(
  settings: Pick<Settings, "api_key_env" | "sandbox">,
  env: NodeJS.ProcessEnv,
): Result<void, Failure> {
  const key = env[settings.api_key_env];
  if (key === undefined || key.length < 8) return ok();
  const name = Object.entries(settings.sandbox.env).find(([, value]) => value.includes(key))?.[0];
  if (name === undefined) return ok();
  return err({
    kind: "secret_inside",
    message: `sandbox.env.${name} holds the key of ${settings.api_key_env}: the agent and all it runs could read it.`,
    fix: `Take ${name} out of sandbox.env. The model is reached without it: the key is added on this machine, outside of the sandbox.`,
  });
}
