/** Codex's error for a failed turn; only the fields in use. */
export type ReportedError = {
  readonly message: string;
  readonly codexErrorInfo?: unknown;
  readonly additionalDetails?: string | null | undefined;
  readonly misalignment?:
    | { readonly detailedExplanation?: string | null | undefined }
    | null
    | undefined;
};

/**
 * What failed, and what the user can do about it. `fix` is empty if that depends on what was tried
 * before: see `repeats`.
 */
export type TurnFailure = {
  readonly what: string;
  readonly fix: string;
  readonly repeats?: Repeats;
};

/**
 * Why the same request would fail again: the endpoint refuses its content, or it is too long for
 * the model. src/session/conversation/recovery.ts decides what to do then.
 */
export type Repeats = "refused" | "context";

const AGAIN = "Send it again with `:CodexChat retry`.";
const KEY =
  "The endpoint did not accept the key. Put a valid one into the variable that `api_key_env` names " +
  "(`OPENAI_API_KEY` unless configured), or set `api_key_cmd`, start Neovim again, then " +
  "`:CodexChat retry`.";
const MODEL =
  "Check `model` and `model_url` in the configuration. After a change start Neovim again, then " +
  "`:CodexChat retry`.";
const REQUEST = `The endpoint did not understand the request. ${MODEL}`;
const DOWN = `The fault lies with the model's endpoint. Wait a little. ${AGAIN}`;
const LINK = `The connection to the model's endpoint broke. Check \`model_url\` and the network. ${AGAIN}`;
const OURS =
  "The proxy on your machine refused this. If a limit that it names is too low for your work, raise " +
  "it in the configuration, start Neovim again, then `:CodexChat retry`.";
const POLICY = "The endpoint declined this request by its policy. Rephrase it.";
const BUSY = `The endpoint could not take the request just now. Wait a little. ${AGAIN}`;

/** The advice for each kind of error that Codex 0.171 names (`CodexErrorInfo` of its types). */
const ADVICE: Readonly<Record<string, string>> = {
  sessionBudgetExceeded:
    "The session's budget is used up. Start another conversation with `:CodexChat new`.",
  usageLimitExceeded:
    "The account's usage limit is reached. Wait until it is renewed, or use another key or model. " +
    AGAIN,
  flexUnavailable: DOWN,
  serverOverloaded: `The model is overloaded. Wait a little. ${AGAIN}`,
  policyCapacityUnavailable: DOWN,
  internalServerError: DOWN,
  modelNotFound: `The endpoint does not know this model. ${MODEL}`,
  unauthorized: KEY,
  badRequest: REQUEST,
  bioPolicy: POLICY,
  cyberPolicy: POLICY,
  misalignmentPolicyViolation: POLICY,
  inferenceHookDenied: "A hook on the endpoint's side declined this request.",
  tooManyDenials: "Too many requests of Codex were declined. Tell it what it may do instead.",
  sandboxError: "Codex could not run a command. `:checkhealth codex-chat` shows what is wrong.",
  threadRollbackFailed:
    "The conversation could not be rolled back. Start another conversation with `:CodexChat new`.",
  responseStreamDisconnected: LINK,
  responseStreamConnectionFailed: LINK,
  httpConnectionFailed: LINK,
  responseTooManyFailedAttempts: LINK,
  activeTurnNotSteerable: "The message will be sent when the running work has ended.",
  other: AGAIN,
};

/** Facts about the endpoint's response that Codex's error does not contain. */
export type EndpointFacts = {
  /** How long the endpoint asked to wait, if it did. */
  readonly retryAfterMs?: number | undefined;
  /** The status of its last response, as the proxy on the host has seen it. */
  readonly status?: number | undefined;
};

/** Explains what failed and how to fix it. */
export function turnFailureOf(error: ReportedError, facts: EndpointFacts = {}): TurnFailure {
  const { name, status } = infoOf(error.codexErrorInfo);
  const said = errorText(error.message);
  const details = errorText(error.additionalDetails ?? "");
  const why = error.misalignment?.detailedExplanation ?? "";
  const more = [details, why].filter((text) => text !== "" && !said.includes(text));
  const message = `${said}${more.length === 0 ? "" : ` (${more.join(" ")})`}`;
  const what = message === "" ? "the turn failed without saying why" : message;
  if (message.startsWith("codex-chat: ")) return { what, fix: OURS };
  const guessed = name === "other" ? guess(error.message, facts.status) : name;
  // Codex 0.169 reports the status of most refusals, but for a 400 only the body.
  const answered = status ?? (guessed === "badRequest" ? facts.status : undefined);
  const repeats = repeatsFor(guessed, answered, error.message);
  if (repeats !== undefined) return { what, fix: "", repeats };
  return { what, fix: adviceFor(guessed, answered, facts.retryAfterMs) };
}

/** Statuses of an endpoint that refuses the request's content or its size. */
const REFUSALS = [400, 413, 415, 422];

/** Messages of endpoints about items of the conversation, whatever the status. */
const ABOUT_ITEMS =
  /encrypted[ _]content|required following item|Item with id|tool (?:output|call) found|previous_response/i;

function repeatsFor(
  name: string,
  status: number | undefined,
  message: string,
): Repeats | undefined {
  if (name === "contextWindowExceeded") return "context";
  if (ABOUT_ITEMS.test(message)) return "refused";
  const isRefusal = status === undefined ? name === "badRequest" : REFUSALS.includes(status);
  if (!isRefusal || name === "modelNotFound") return undefined;
  const { param } = bodyOf(message);
  // A parameter outside of the conversation comes from the configuration.
  return param === undefined || /^input\b|^messages\b/.test(param) ? "refused" : undefined;
}

/**
 * The readable part of an error. Codex passes on the body of a refusal as JSON, and mentions the
 * URL of the relay in the sandbox, which means nothing to the user (0.169).
 */
export function errorText(message: string): string {
  const text = message
    .trim()
    .replace(/,? url: http:\/\/127\.0\.0\.1:\S*/, "")
    // Messages of this plugin's proxy need no status in front.
    .replace(/^unexpected status \d+ [A-Za-z ]+: (?=The model's |codex-chat: )/, "");
  const page = /<(?:!doctype|html)\b/i.exec(text)?.index;
  if (page === 0) return pageTitle(text);
  if (page !== undefined) return text.slice(0, page).replace(/[:\s]+$/, "");
  return bodyOf(text).message ?? text;
}

/** The message and parameter in the JSON body of a refusal; nothing if the text is not JSON. */
function bodyOf(text: string): { message?: string; param?: string } {
  if (!text.trimStart().startsWith("{")) return {};
  try {
    const body: unknown = JSON.parse(text);
    const error = typeof body === "object" && body !== null && "error" in body ? body.error : body;
    if (typeof error === "string" && error !== "") return { message: error };
    if (typeof error !== "object" || error === null) return {};
    const fields: { readonly [name: string]: unknown } = { ...error };
    const message = [fields["message"], fields["detail"]].find(isText);
    const { param } = fields;
    return { ...(message === undefined ? {} : { message }), ...(isText(param) ? { param } : {}) };
  } catch {
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** The title of a web page received instead of a response; such pages come from gateways. */
function pageTitle(page: string): string {
  const title = /<title>\s*([^<]{1,200}?)\s*<\/title>/i.exec(page.slice(0, 10_000))?.[1];
  return title === undefined ? "The endpoint answered with a web page." : title;
}

/**
 * The likely name of an error that Codex calls `other`: it does so for a dropped stream, and for a
 * 400 with an unknown body (0.169).
 */
function guess(message: string, status: number | undefined): string {
  if (/^stream disconnected|network error|connection (?:closed|reset|refused)/i.test(message)) {
    return "responseStreamDisconnected";
  }
  return message.trimStart().startsWith("{") || status === 400 ? "badRequest" : "other";
}

/** Statuses of requests that may succeed a moment later. */
const BUSY_STATUSES = [408, 409, 425];

function adviceFor(name: string, status: number | undefined, retryAfterMs?: number): string {
  if (status === 401) return KEY;
  if (status === 403) {
    return `The endpoint refuses this key or account the model. ${MODEL}`;
  }
  if (status === 404) return `The endpoint does not know this address or this model. ${MODEL}`;
  if (status === 429 || name === "rateLimitExceeded") {
    const wait =
      retryAfterMs === undefined
        ? "Wait a minute"
        : `Wait ${Math.ceil(retryAfterMs / 1000)} s, as the endpoint asks`;
    return `Too many requests, or the quota is used up. ${wait}, then \`:CodexChat retry\`.`;
  }
  if (status !== undefined && BUSY_STATUSES.includes(status)) return BUSY;
  if (status === 402) return ADVICE["usageLimitExceeded"] ?? AGAIN;
  if (status !== undefined && status >= 500) return DOWN;
  if (status !== undefined && status >= 400) return REQUEST;
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
