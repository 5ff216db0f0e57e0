import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { err, ok, type Result } from "../result.ts";
import { LOG_IN_AGAIN, type LoginError } from "./error.ts";

/** Larger than any real login file. */
const MAX_BYTES = 1024 ** 2;
/** Codex 0.171's issuer and client id, for files that do not name them. */
const ISSUER = "https://auth.openai.com";
const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";

/** The file that Codex 0.171 writes; unknown fields are kept. */
const AuthFile = z.looseObject({
  tokens: z
    .looseObject({
      id_token: z.string().nullish(),
      access_token: z.string().regex(/^[\x21-\x7e]+$/),
      refresh_token: z.string(),
      account_id: z.string().nullish(),
      oauth_provenance: z.looseObject({ issuer: z.string(), client_id: z.string() }).nullish(),
    })
    .nullish(),
  last_refresh: z.string().nullish(),
});
type AuthFile = z.infer<typeof AuthFile>;

/** A login with its secrets. SECURITY: never logged, shown, or sent to the editor. */
export type Login = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly accountId: string | undefined;
  readonly email: string | undefined;
  readonly plan: string | undefined;
  /** Undefined if the token does not say. */
  readonly expiresAtMs: number | undefined;
  readonly refreshedAtMs: number | undefined;
  readonly issuer: string;
  readonly clientId: string;
  /** The file's content as it was read. */
  readonly file: AuthFile;
};

/** New tokens; absent ones stay as they are. */
export type NewTokens = {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
  readonly idToken?: string | undefined;
};

/** The path of the login file in a Codex home. */
export function authPath(home: string): string {
  return join(home, "auth.json");
}

/** Reads the login in a Codex home; undefined if there is none. Errors: `login_unreadable`. */
export async function readLogin(home: string): Promise<Result<Login | undefined, LoginError>> {
  const path = authPath(home);
  let text: string;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const stat = await file.stat();
      if (!stat.isFile() || stat.size > MAX_BYTES)
        return unreadable(path, "it is not a regular file");
      if ((stat.mode & 0o077) !== 0)
        return unreadable(path, "other users can read it", `chmod 600 ${path}`);
      text = await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = String((cause as NodeJS.ErrnoException).code ?? "unknown");
    return code === "ENOENT" ? ok(undefined) : unreadable(path, code);
  }
  return parse(path, text);
}

/** The text of the login file with new tokens. */
export function withTokens(login: Login, tokens: NewTokens, nowMs: number): string {
  const { file } = login;
  const { accessToken, refreshToken = login.refreshToken, idToken } = tokens;
  const next = {
    ...file,
    tokens: {
      ...file.tokens,
      ...(idToken === undefined ? {} : { id_token: idToken }),
      access_token: accessToken,
      refresh_token: refreshToken,
    },
    last_refresh: new Date(nowMs).toISOString(),
  };
  return `${JSON.stringify(next, undefined, 2)}\n`;
}

function parse(path: string, text: string): Result<Login | undefined, LoginError> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unreadable(path, "it is not JSON");
  }
  const parsed = AuthFile.safeParse(json);
  // SECURITY: zod's message is not used, since it could quote a value.
  if (!parsed.success) return unreadable(path, "it is not a login file of Codex");
  const file = parsed.data;
  if (!file.tokens) return ok(undefined);
  const { access_token: accessToken, refresh_token: refreshToken, id_token } = file.tokens;
  const access = claimsOf(accessToken);
  const id = claimsOf(id_token ?? "");
  const provenance = file.tokens.oauth_provenance;
  const refreshedAtMs = Date.parse(file.last_refresh ?? "");
  return ok({
    accessToken,
    refreshToken,
    accountId:
      file.tokens.account_id ?? access.auth?.chatgpt_account_id ?? id.auth?.chatgpt_account_id,
    email: id.email,
    plan: id.auth?.chatgpt_plan_type ?? access.auth?.chatgpt_plan_type,
    expiresAtMs: access.exp === undefined ? undefined : access.exp * 1000,
    refreshedAtMs: Number.isNaN(refreshedAtMs) ? undefined : refreshedAtMs,
    issuer: provenance?.issuer ?? ISSUER,
    clientId: provenance?.client_id ?? CLIENT_ID,
    file,
  });
}

const Claims = z.object({
  exp: z.number().optional().catch(undefined),
  email: z.string().optional().catch(undefined),
  auth: z
    .object({
      chatgpt_account_id: z.string().optional().catch(undefined),
      chatgpt_plan_type: z.string().optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
type Claims = z.infer<typeof Claims>;

/** The claims of a token; not verified, since nothing is granted because of them. */
function claimsOf(token: string): Claims {
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"),
    );
    if (typeof payload !== "object" || payload === null) return {};
    const auth = Reflect.get(payload, "https://api.openai.com/auth");
    return Claims.parse({ ...payload, auth });
  } catch {
    return {};
  }
}

function unreadable(path: string, why: string, fix = LOG_IN_AGAIN) {
  const message = `The ChatGPT login in ${path} cannot be used: ${why}.`;
  return err<LoginError>({ kind: "login_unreadable", message, fix });
}
