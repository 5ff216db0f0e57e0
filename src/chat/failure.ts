/** What Codex says of a turn that failed; the fields that are looked at. */
export type TurnError = {
  readonly message: string;
  readonly codexErrorInfo?: unknown;
  readonly additionalDetails?: string | null | undefined;
  readonly misalignment?:
    | { readonly detailedExplanation?: string | null | undefined }
    | null
    | undefined;
};

/** What a failure is called, and what the user can do about it; `mend` may be empty. */
export type Failure = { readonly what: string; readonly mend: string };

const AGAIN = "Send it again with `:CodexChat retry`.";
const KEY =
  "The endpoint did not accept the key. Put a valid one into the variable that `api_key_env` names " +
  "(`OPENAI_API_KEY` unless configured), or set `api_key_cmd`, then `:CodexChat retry`.";
const MODEL = "Check `model` and `model_url` in the configuration, then `:CodexChat retry`.";
const DOWN = `The fault lies with the model's endpoint. Wait a little. ${AGAIN}`;
const LINK = `The connection to the model's endpoint broke. Check \`model_url\` and the network. ${AGAIN}`;
const OURS =
  "The proxy on your machine refused this. If a limit that it names is too low for your work, raise " +
  "it in the configuration, then `:CodexChat retry`.";
const POLICY = "The endpoint declined this request by its policy. Say it in another way.";

/** The advice for each kind of error that Codex 0.169 names (`CodexErrorInfo` of its types). */
const ADVICE: Readonly<Record<string, string>> = {
  contextWindowExceeded:
    "The conversation no longer fits the model's context window. Send the next message, before " +
    "which Codex compacts it, or begin anew with `:CodexChat new`.",
  sessionBudgetExceeded: "The session's budget is used up. Begin anew with `:CodexChat new`.",
  usageLimitExceeded:
    "The account's usage limit is reached. Wait until it is renewed, or use another key or model.",
  flexUnavailable: DOWN,
  serverOverloaded: `The model is overloaded. Wait a little. ${AGAIN}`,
  policyCapacityUnavailable: DOWN,
  internalServerError: DOWN,
  modelNotFound: `The endpoint does not know this model. ${MODEL}`,
  unauthorized: KEY,
  badRequest: `The endpoint did not understand the request. ${MODEL}`,
  cyberPolicy: POLICY,
  misalignmentPolicyViolation: POLICY,
  inferenceHookDenied: "A hook on the endpoint's side declined this request.",
  tooManyDenials: "Too many requests of Codex were declined. Tell it what it may do instead.",
  sandboxError: "Codex could not run a command. `:checkhealth codex-chat` tells what is wrong.",
  threadRollbackFailed:
    "The conversation could not be taken back. Begin anew with `:CodexChat new`.",
  responseStreamDisconnected: LINK,
  responseStreamConnectionFailed: LINK,
  httpConnectionFailed: LINK,
  responseTooManyFailedAttempts: LINK,
  activeTurnNotSteerable: "The message is sent when the running work has ended.",
  other: AGAIN,
};

/**
 * Says what failed and how it is mended.
 *
 * `retryAfterMs` is what the endpoint asked to wait, if it did.
 */
export function failureOf(error: TurnError, retryAfterMs?: number): Failure {
  const { name, status } = infoOf(error.codexErrorInfo);
  const said = wordsOf(error.message);
  const details = wordsOf(error.additionalDetails ?? "");
  const why = error.misalignment?.detailedExplanation ?? "";
  const more = [details, why].filter((it) => it !== "" && !said.includes(it));
  const message = `${said}${more.length === 0 ? "" : ` (${more.join(" ")})`}`;
  return {
    what: message === "" ? "the turn failed without saying why" : message,
    mend: message.startsWith("codex-chat: ")
      ? OURS
      : adviceFor(name === "other" ? guess(error.message) : name, status, retryAfterMs),
  };
}

/**
 * What an error says in words. Codex passes on the body of a refusal as JSON, and names the address
 * of the relay inside of the sandbox, which means nothing to the user (0.169).
 */
export function wordsOf(message: string): string {
  const text = message
    .trim()
    .replace(/,? url: http:\/\/127\.0\.0\.1:\S*/, "")
    // What our own proxy says needs no status in front.
    .replace(/^unexpected status \d+ [A-Za-z ]+: (?=The model's |codex-chat: )/, "");
  if (!text.startsWith("{")) return text;
  try {
    const body: unknown = JSON.parse(text);
    const error = typeof body === "object" && body !== null && "error" in body ? body.error : body;
    if (typeof error !== "object" || error === null || !("message" in error)) return text;
    return typeof error.message === "string" && error.message !== "" ? error.message : text;
  } catch {
    return text;
  }
}

/** What an error without a name is most like: Codex 0.169 calls a dropped stream `other`. */
function guess(message: string): string {
  if (/^stream disconnected|network error|connection (?:closed|reset|refused)/i.test(message)) {
    return "responseStreamDisconnected";
  }
  return message.trimStart().startsWith("{") ? "badRequest" : "other";
}

function adviceFor(name: string, status: number | undefined, retryAfterMs?: number): string {
  if (status === 401) return KEY;
  if (status === 403) {
    return `The endpoint refuses this key or account the model. ${MODEL}`;
  }
  if (status === 404)
    return `The endpoint has nothing at this address, or not this model. ${MODEL}`;
  if (status === 429 || name === "rateLimitExceeded") {
    const wait =
      retryAfterMs === undefined
        ? "Wait a minute"
        : `Wait ${Math.ceil(retryAfterMs / 1000)} s, as the endpoint asks`;
    return `Too many requests, or the quota is used up. ${wait}, then \`:CodexChat retry\`.`;
  }
  if (status !== undefined && status >= 500) return DOWN;
  return ADVICE[name] ?? AGAIN;
}

/** The name of a `CodexErrorInfo`, a string or an object of one key, and the HTTP status in it. */
function infoOf(info: unknown): { name: string; status: number | undefined } {
  if (typeof info === "string") return { name: info, status: undefined };
  if (typeof info !== "object" || info === null) return { name: "other", status: undefined };
  const [entry] = Object.entries(info);
  if (entry === undefined) return { name: "other", status: undefined };
  const [name, value]: [string, unknown] = entry;
  const status =
    typeof value === "object" && value !== null && "httpStatusCode" in value
      ? value.httpStatusCode
      : undefined;
  return { name, status: typeof status === "number" ? status : undefined };
}
