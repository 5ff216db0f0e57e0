import { execa } from "execa";
import { err, ok, type Result } from "../result.ts";
import type { Failure } from "./failure.ts";
import type { Settings } from "./settings.ts";

/** How long a password manager may take; it may be waiting for a touch or a passphrase. */
const COMMAND_TIMEOUT_MS = 60_000;

/** The one endpoint that is known to refuse calls without a key. */
const NEEDS_KEY = new Set(["api.openai.com"]);

/** Header pairs that authorize a call upstream; empty for a model that needs no key. */
export type AuthorizationHeaders = readonly (readonly [name: string, value: string])[];

/**
 * Finds the key for the model, once per call: from the user's command, else from the environment.
 *
 * SECURITY: the value stays in the host. It is handed to the egress proxy alone, which adds it to
 * calls to the fixed upstream; nothing here logs it, and the errors quote the command's name only.
 *
 * Errors: `no_key` when the endpoint needs one and none is set, `key_command` when the command fails.
 */
export async function findAuthorization(
  settings: Pick<Settings, "model_url" | "api_key_env" | "api_key_cmd">,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Result<AuthorizationHeaders, Failure>> {
  const key = await findKey(settings, env, signal);
  if (!key.ok) return key;
  if (key.value !== undefined) return ok([["authorization", `Bearer ${key.value}`]]);
  const { hostname } = new URL(settings.model_url);
  if (!NEEDS_KEY.has(hostname)) return ok([]);
  return err({
    kind: "no_key",
    message: `No API key: ${hostname} needs one, and ${settings.api_key_env} is not set in Neovim's environment.`,
    mend: `Start Neovim with it (export ${settings.api_key_env}=…), or set api_key_cmd, for example { "pass", "openai" }, or model_url for a model that needs no key.`,
  });
}

async function findKey(
  settings: Pick<Settings, "api_key_env" | "api_key_cmd">,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Result<string | undefined, Failure>> {
  if (settings.api_key_cmd === undefined) {
    const value = env[settings.api_key_env]?.trim();
    return checked(value === "" ? undefined : value, `$${settings.api_key_env}`);
  }
  const [command, ...args] = settings.api_key_cmd as [string, ...string[]];
  const run = await execa(command, args, {
    reject: false,
    stdin: "ignore",
    timeout: COMMAND_TIMEOUT_MS,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  // SECURITY: never quote the output, part of it may be the key.
  if (run.failed || run.stdout.trim() === "") {
    const how = run.timedOut
      ? "took longer than a minute"
      : run.failed
        ? run.shortMessage
        : "printed nothing";
    return err({
      kind: "key_command",
      message: `The command for the API key (api_key_cmd, ${command}) failed: ${how}.`,
      mend: "Run it in a terminal to see why; it must print the key alone.",
    });
  }
  return checked(run.stdout.trim(), "the output of api_key_cmd");
}

function checked(value: string | undefined, source: string): Result<string | undefined, Failure> {
  // A header value with a line break would be a header injected upstream.
  if (value === undefined || /^[\x21-\x7e]+$/.test(value)) return ok(value);
  return err({
    kind: "key_command",
    message: `The API key from ${source} holds spaces, line breaks or non-ASCII characters.`,
    mend: "Give the key alone, on one line.",
  });
}
