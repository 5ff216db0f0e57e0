import type { ModelFailureKind } from "../events.ts";
import { printableSentence } from "../http/index.ts";

/** A failed call, as the user reads of it. */
export type ModelFailure = { readonly kind: ModelFailureKind; readonly message: string };

const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is unknown; check model_url and the network",
  EAI_AGAIN: "its name cannot be resolved now; check the network",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke the connection off",
  EPIPE: "it broke the connection off",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no way to it; check the network",
  ENETUNREACH: "there is no network",
};

const TRUST =
  "is not trusted; if it is your own, name the file of its authority in NODE_EXTRA_CA_CERTS";
const TLS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: `its certificate, signed by itself, ${TRUST}`,
  SELF_SIGNED_CERT_IN_CHAIN: `its certificate's authority ${TRUST}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its certificate's authority ${TRUST}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its certificate's authority ${TRUST}`,
  EPROTO: "it does not speak TLS; should model_url begin with http://?",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS; should model_url begin with http://?",
};

/** Says why an upstream could not be used, from Node's error. */
export function connectFailure(error: NodeJS.ErrnoException, host: string): ModelFailure {
  const code = error.code ?? "";
  const because = (what: string) => `The model's endpoint ${host} cannot be used: ${what}.`;
  const tls = TLS[code];
  if (tls !== undefined) return { kind: "tls", message: because(tls) };
  if (/^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO)/.test(code))
    return { kind: "tls", message: because(printableSentence(error.message, 200)) };
  if (code.startsWith("HPE_"))
    return { kind: "answer", message: because(`what it answers is not HTTP (${code})`) };
  const what = UNREACHABLE[code] ?? printableSentence(error.message || code || "it failed", 200);
  return { kind: "unreachable", message: because(what) };
}

/** Says what an answer of 4xx or 5xx means, with the upstream's own words from its body. */
export function statusFailure(status: number, host: string, body: string): ModelFailure {
  const said = wordsOf(body);
  const what = `The model's endpoint ${host} ${meaningOf(status)} (${status})`;
  return { kind: "status", message: said === "" ? `${what}.` : `${what}: ${said}` };
}

function meaningOf(status: number): string {
  if (status === 401)
    return "does not accept the key; check api_key_env or api_key_cmd, or log in again";
  if (status === 403) return "denies this key access";
  if (status === 404) return "knows no such model or address; check model and model_url";
  if (status === 413) return "finds the request too large";
  if (status === 429) return "is over its rate limit or quota";
  if (status >= 500) return "has a failure of its own";
  return "refused the request";
}

/** SECURITY: the upstream's text, which may echo the sandbox's; it is shown to the user. */
function wordsOf(body: string): string {
  return printableSentence(messageIn(body) ?? (/^\s*</.test(body) ? "" : body), 300);
}

function messageIn(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const error = field(parsed, "error") ?? parsed;
    for (const found of [error, field(error, "message"), field(error, "detail")])
      if (typeof found === "string") return found;
    return undefined;
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
