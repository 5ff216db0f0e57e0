import type { ModelFailureKind } from "../events.ts";
import { printableSentence } from "../http/index.ts";

/** A failed call, phrased for the user. */
export type ModelFailure = { readonly kind: ModelFailureKind; readonly message: string };

const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is unknown; check model_url and the network",
  EAI_AGAIN: "its name cannot be resolved now; check the network",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it closed the connection",
  EPIPE: "it closed the connection",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no route to it; check the network",
  ENETUNREACH: "there is no network",
};

const TRUST = "is not trusted; if it is your own, set NODE_EXTRA_CA_CERTS to its authority's file";
const TLS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: `its self-signed certificate ${TRUST}`,
  SELF_SIGNED_CERT_IN_CHAIN: `its certificate's authority ${TRUST}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its certificate's authority ${TRUST}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its certificate's authority ${TRUST}`,
  EPROTO: "it does not speak TLS; should model_url begin with http://?",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS; should model_url begin with http://?",
};

/** Explains Node's error for an upstream that could not be used. */
export function connectFailure(error: NodeJS.ErrnoException, host: string): ModelFailure {
  const code = error.code ?? "";
  const because = (what: string) => `The model's endpoint ${host} cannot be used: ${what}.`;
  const tls = TLS[code];
  if (tls !== undefined) return { kind: "tls", message: because(tls) };
  if (/^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO)/.test(code))
    return { kind: "tls", message: because(printableSentence(error.message, 200)) };
  if (code.startsWith("HPE_"))
    return { kind: "answer", message: because(`its response is not HTTP (${code})`) };
  const what = UNREACHABLE[code] ?? printableSentence(error.message || code || "it failed", 200);
  return { kind: "unreachable", message: because(what) };
}

/** Explains a 4xx or 5xx response, with the message in its body. */
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
  if (status === 413) return "says that the request is too large";
  if (status === 429) return "says that the rate limit or quota is exceeded";
  if (status >= 500) return "failed";
  return "refused the request";
}

/** SECURITY: this text is shown to the user, and may echo text from the sandbox. */
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
