import type { AuthorizationHeader } from "../../egress/model/index.ts";
import { isLoopback } from "../../loopback.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import type { Settings } from "../settings/index.ts";
import { goesThrough } from "./upstream-proxy.ts";

/** Where the model is called, and what is sent with each call besides the key. */
export type Endpoint = {
  readonly url: URL;
  readonly headers: readonly AuthorizationHeader[];
  /** SECURITY: headers whose names suggest that they are secret too. */
  readonly secretHeaders: readonly AuthorizationHeader[];
};

const MODEL_URL = "https://api.openai.com/v1";
/** Codex's backend for ChatGPT plans (0.169); not tested against the real service. */
const LOGIN_URL = "https://chatgpt.com/backend-api/codex";
/** Headers that belong to the HTTP call itself, or that only the proxy may set. */
const OURS =
  /^(host|connection|content-(length|type|encoding)|transfer-encoding|accept-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|authorization)$/;
const SECRET = /key|token|secret|auth|pass|cookie|sig/i;

/** The settings that an endpoint is made from. */
export type EndpointSettings = Pick<
  Settings,
  "auth" | "model_url" | "login_url" | "model_headers" | "model_query" | "network"
>;

/** Finds the model's endpoint. Errors: `wrong_settings`. */
export function endpointOf(settings: EndpointSettings): Result<Endpoint, Failure> {
  const { auth, model_url: modelUrl, login_url: loginUrl } = settings;
  if (auth === "login" && modelUrl !== undefined)
    return wrong(
      'With auth = "login" the model is called at ChatGPT\'s backend. model_url is another endpoint, which must not get your login.',
      'Remove model_url from the configuration, or set auth = "key" or "none".',
    );
  const url = new URL(auth === "login" ? (loginUrl ?? LOGIN_URL) : (modelUrl ?? MODEL_URL));
  if (auth === "login" && url.protocol !== "https:" && !isLoopback(url.hostname))
    return wrong(
      `login_url is ${url.protocol}//${url.host}: a login is sent over https only.`,
      "Remove login_url from the configuration.",
    );
  // SECURITY: in clear text the proxy could read the key and the calls.
  if (url.protocol === "http:" && goesThrough(settings, url))
    return wrong(
      `The model's endpoint ${url.host} is called in clear text (http), which is not sent through network.proxy.`,
      `Use https, or add it to network.no_proxy: { "${url.hostname}:${url.port || 80}" }`,
    );
  for (const [name, value] of Object.entries(settings.model_query))
    url.searchParams.set(name, value);
  const headers = Object.entries(settings.model_headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const odd = headers.find(([name]) => !isHeaderName(name));
  if (odd !== undefined)
    return wrong(
      `model_headers has ${JSON.stringify(odd[0])}, which is not a header that can be set.`,
      "Remove it; the key's header is set by api_key_header.",
    );
  const control = headers.find(([, value]) => !/^[\t\x20-\x7e]*$/.test(value));
  if (control !== undefined)
    return wrong(
      `The value of ${control[0]} in model_headers contains line breaks or characters that a header cannot have.`,
      "Write it on one line, in ASCII.",
    );
  return ok({
    url,
    headers: headers.filter(([name]) => !SECRET.test(name)),
    secretHeaders: headers.filter(([name]) => SECRET.test(name)),
  });
}

/** Whether a header of this name may be added to calls. */
export function isHeaderName(name: string): boolean {
  return /^[a-z0-9!#$%&'*+.^_`|~-]+$/i.test(name) && !OURS.test(name.toLowerCase());
}

function wrong(message: string, fix: string): Result<never, Failure> {
  return err({ kind: "wrong_settings", message, fix });
}
