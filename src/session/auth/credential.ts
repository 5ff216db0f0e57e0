import type { Audit } from "../../audit/index.ts";
import type { Authorization, AuthorizationHeader } from "../../egress/model/index.ts";
import { isLoopback } from "../../loopback.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import type { Settings } from "../settings/index.ts";
import type { Account } from "./account.ts";
import { type Endpoint, endpointOf, isHeaderName } from "./endpoint.ts";
import type { KeyRing } from "./key-command.ts";

/** Endpoints that are known to refuse calls without a key. */
const NEEDS_KEY = new Set(["api.openai.com"]);

/** Options for finding a credential. */
export type CredentialOptions = {
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly keys: KeyRing;
  readonly account: Account;
  readonly audit?: Audit | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The endpoint of a backend's calls, and what authorizes them.
 *
 * SECURITY: the values stay on the host. Only the egress proxy gets them, and adds them to calls to
 * the fixed upstream. Nothing here logs them, and errors name only their source.
 */
export type Credential = {
  readonly endpoint: Endpoint;
  /** Its source, phrased for the user: "key from $OPENAI_API_KEY". */
  readonly source: string;
  readonly authorization: () => Promise<Authorization>;
  /** Called when the endpoint has refused it: true if there may be another one now. */
  readonly renew: () => Promise<boolean>;
};

type Headers = readonly AuthorizationHeader[];
type Source = Pick<Credential, "source" | "renew"> & {
  readonly find: () => Promise<Result<Headers, Failure>>;
};

/**
 * Finds what authorizes calls and checks that it exists, before anything else is started.
 *
 * Errors: `wrong_settings`, `no_key`, `key_command`, and those of a login.
 */
export async function openCredential(
  options: CredentialOptions,
): Promise<Result<Credential, Failure>> {
  const endpoint = endpointOf(options.settings);
  if (!endpoint.ok) return endpoint;
  const source = sourceOf(options, endpoint.value);
  if (!source.ok) return source;
  const { find, source: name, renew } = source.value;
  const first = await find();
  record(options, name, first);
  if (!first.ok) return first;
  return ok({
    endpoint: endpoint.value,
    source: name,
    authorization: async () => {
      const found = await find();
      if (!found.ok) {
        record(options, name, found);
        const { message, fix } = found.error;
        return err({ message: fix === undefined ? message : `${message} ${fix}` });
      }
      return ok([...endpoint.value.secretHeaders, ...found.value]);
    },
    renew: async () => {
      const isNew = await renew();
      options.audit?.record({
        event: "credential",
        action: isNew ? "renewed" : "refused",
        source: name,
      });
      return isNew;
    },
  });
}

function record({ audit }: CredentialOptions, source: string, found: Result<Headers, Failure>) {
  audit?.record(
    found.ok
      ? { event: "credential", action: "found", source }
      : { event: "credential", action: "failed", source, reason: found.error.kind },
  );
}

function sourceOf(options: CredentialOptions, endpoint: Endpoint): Result<Source, Failure> {
  const { auth, api_key_cmd: command, api_key_header: header } = options.settings;
  if (auth === "login") return ok(loginSource(options));
  if (auth === "none")
    return command === undefined && header === undefined
      ? ok({ source: "no key", find: async () => ok([]), renew: async () => false })
      : err({
          kind: "wrong_settings",
          message: `auth = "none" and ${command === undefined ? "api_key_header" : "api_key_cmd"} contradict each other.`,
          fix: "Remove one of them from the configuration.",
        });
  if (header !== undefined && header.toLowerCase() !== "authorization" && !isHeaderName(header))
    return err({
      kind: "wrong_settings",
      message: `api_key_header is ${JSON.stringify(header)}, which is not a header that can hold a key.`,
      fix: 'Set it to the name that the provider documents, such as "api-key" or "x-api-key".',
    });
  return ok(command === undefined ? variableSource(options, endpoint) : commandSource(options));
}

/** The ChatGPT login: its token is sent to Codex's backend with the account's id. */
function loginSource({ account }: CredentialOptions): Source {
  return {
    source: "ChatGPT login",
    find: async () => {
      const login = await account.keeper.login();
      if (!login.ok)
        return login.error.kind === "no_login"
          ? err({ ...login.error, fix: `${login.error.fix} Or set auth = "key" for an API key.` })
          : login;
      const { accessToken, accountId } = login.value;
      return ok([
        ["authorization", `Bearer ${accessToken}`],
        ...(accountId === undefined ? [] : [["chatgpt-account-id", accountId] as const]),
      ]);
    },
    renew: () => account.keeper.renew(),
  };
}

function commandSource({ settings, env, keys, signal }: CredentialOptions): Source {
  const command = settings.api_key_cmd ?? [];
  const source = `key from the command ${command[0]}`;
  return {
    source,
    find: async () => {
      const key = await keys.get(command, { env, signal });
      return key.ok ? headersFor(key.value, settings, `the output of ${command[0]}`) : key;
    },
    renew: () => keys.renew(command, { env }),
  };
}

function variableSource({ settings, env }: CredentialOptions, { url }: Endpoint): Source {
  const { api_key_env: name, auth } = settings;
  const key = env[name]?.trim() ?? "";
  const isNeeded = auth === "key" || NEEDS_KEY.has(url.hostname);
  return {
    source: key === "" ? "no key" : `key from $${name}`,
    find: async () => {
      if (key !== "") return headersFor(key, settings, `$${name}`);
      if (!isNeeded) return ok([]);
      return err({
        kind: "no_key",
        message: `No API key: ${url.hostname} needs one, and ${name} is not set in Neovim's environment.`,
        fix: [
          `Start Neovim with it: export ${name}=…`,
          'Or have a command read it: vim.g.codex_chat = { api_key_cmd = { "pass", "openai" } }',
          'With a ChatGPT plan: vim.g.codex_chat = { auth = "login" }',
          "and then: :CodexChat login",
          "For a model that needs no key, set model_url.",
        ].join("\n"),
      });
    },
    renew: async () => false,
  };
}

function headersFor(
  key: string,
  { api_key_header: header = "authorization" }: Settings,
  source: string,
): Result<Headers, Failure> {
  const name = header.toLowerCase();
  // SECURITY: a value with a line break would add another header.
  if (/^[\x21-\x7e]+$/.test(key))
    return ok([[name, name === "authorization" ? `Bearer ${key}` : key]]);
  return err({
    kind: "key_command",
    message: `The API key from ${source} contains spaces, control characters or non-ASCII letters.`,
    fix: "Provide only the key, on the first line.",
  });
}

/** Describes what authorizes calls, without running a command or using the login. */
export async function credentialLine({
  settings,
  env,
  account,
}: Pick<CredentialOptions, "settings" | "env" | "account">): Promise<string> {
  const login = await account.keeper.state();
  const who = login.ok ? login.value : undefined;
  const name =
    who && `${who.email ?? "an account"}${who.plan === undefined ? "" : ` (${who.plan})`}`;
  if (settings.auth === "login") {
    if (!login.ok) return `ChatGPT login: ${login.error.message}`;
    return `ChatGPT login: ${name ?? "not logged in; see :CodexChat login"}`;
  }
  const idle = name === undefined ? "" : `; ${name} is logged in, which auth = "login" would use`;
  if (settings.auth === "none") return `none${idle}`;
  if (settings.api_key_cmd !== undefined)
    return `the key that ${settings.api_key_cmd[0]} prints${idle}`;
  const isSet = (env[settings.api_key_env]?.trim() ?? "") !== "";
  return `${isSet ? "the key in" : "no key:"} $${settings.api_key_env}${isSet ? "" : " is not set"}${idle}`;
}

/** A warning if the key is sent over a network in clear text. */
export function warningOf({ endpoint, source }: Credential): string | undefined {
  const { url } = endpoint;
  return url.protocol === "http:" && !isLoopback(url.hostname) && source !== "no key"
    ? `The ${source} is sent to ${url.host} in clear text, because model_url uses http.`
    : undefined;
}
