/** A double of the service behind a ChatGPT login: where tokens come from, and the model's backend. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that the double was asked. */
export type Asked = {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** What a refresh is answered; by default, with new tokens. */
export type RefreshAnswer = { readonly status: number; readonly body: string };

/**
 * Plays the login service as Codex 0.169 uses it: the browser's code, a device's code, renewals that
 * take the old refresh token out of use, and revocation.
 */
export class ChatGptService implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Every token it ever gave, for tests that look for them elsewhere. */
  readonly secrets: string[] = [];
  /** How long an access token lives. */
  lifeMs = 60 * 60_000;
  /** Answers the next renewals in place of new tokens. */
  refusal: RefreshAnswer | undefined;
  /** Waited for by each renewal before it is answered. */
  pause: Promise<void> = Promise.resolve();
  readonly #server: Server;
  #refreshToken = "";
  #n = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ChatGptService> {
    const server = createServer();
    const service = new ChatGptService(server);
    server.on("request", (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        const asked = { path: incoming.url ?? "", headers: incoming.headers, body };
        service.asked.push(asked);
        void service.#answer(asked).then(({ status, body: text }) => {
          response.writeHead(status, { "content-type": "application/json" }).end(text);
        });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How often new tokens were asked for with a refresh token. */
  get refreshes(): number {
    return this.asked.filter(({ body }) => body.includes('"grant_type":"refresh_token"')).length;
  }

  /** New tokens, of which the refresh token alone counts from now on. */
  tokens(): { id_token: string; access_token: string; refresh_token: string } {
    const n = ++this.#n;
    const exp = Math.floor((Date.now() + this.lifeMs) / 1000);
    const auth = { chatgpt_account_id: "acc-canary-7-0123456789", chatgpt_plan_type: "plus" };
    const claims = { exp, email: "someone@example.org", "https://api.openai.com/auth": auth };
    this.#refreshToken = `refresh-canary-${n}-${"r".repeat(20)}`;
    const given = {
      id_token: token({ ...claims, id: n }),
      access_token: token({ ...claims, access: n }),
      refresh_token: this.#refreshToken,
    };
    this.secrets.push(...Object.values(given));
    return given;
  }

  /** The text of Codex's `auth.json` for a login with this double. */
  authFile(refreshedAtMs = 0): string {
    const tokens = {
      ...this.tokens(),
      oauth_provenance: { issuer: this.url, client_id: "client-1" },
      login_owner_id: "owner-1",
      account_id: "acc-canary-7-0123456789",
    };
    const last_refresh = new Date(refreshedAtMs).toISOString();
    return JSON.stringify({ auth_mode: "chatgpt", OPENAI_API_KEY: null, tokens, last_refresh });
  }

  async #answer({ path, body }: Asked): Promise<RefreshAnswer> {
    const json = (value: unknown, status = 200) => ({ status, body: JSON.stringify(value) });
    if (path.endsWith("/deviceauth/usercode"))
      return json({ device_auth_id: "device-1", user_code: "ABCD-1234", interval: "1" });
    if (path.endsWith("/deviceauth/token"))
      return json({ authorization_code: "code-1", code_challenge: "x", code_verifier: "y" });
    if (path.endsWith("/oauth/revoke")) return json({});
    if (path === "/backend-api/wham/accounts/check") return json(ACCOUNTS);
    if (!path.endsWith("/oauth/token")) return json({}, 404);
    if (!body.startsWith("{")) return json(this.tokens());
    await this.pause;
    if (this.refusal !== undefined) return this.refusal;
    const { refresh_token: used } = JSON.parse(body) as { refresh_token?: string };
    if (used !== this.#refreshToken)
      return json({ error: { code: "refresh_token_reused", message: `you sent ${used}` } }, 401);
    return json(this.tokens());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** What Codex 0.169 wants to know of an account before it takes a login for done. */
const ACCOUNTS = {
  accounts: [
    {
      id: "acc-canary-7-0123456789",
      account_user_id: "user-1",
      name: "Someone",
      plan_type: "plus",
      structure: "personal",
      // Codex takes https alone; nothing is there.
      workspace_backend_origin: "https://backend.invalid",
      account_routing_override: "NO_CONSTRAINT",
      is_deactivated: false,
      is_fedramp_compliant_workspace: false,
      can_access_with_session: true,
      profile_picture_url: null,
      sso_connection_name: null,
    },
  ],
  account_ordering: ["acc-canary-7-0123456789"],
  default_account_id: "acc-canary-7-0123456789",
};

function token(claims: object): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.${part("signature")}`;
}
