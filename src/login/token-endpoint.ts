import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";
import * as z from "zod";
import { isLoopback } from "../loopback.ts";
import { parseJson } from "../parse-json.ts";
import { err, ok, type Result } from "../result.ts";
import type { Login, NewTokens } from "./auth-file.ts";

/** More than a response with three tokens needs. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** Why a refresh failed. */
export type RefreshError =
  /** The service rejects the refresh token; `code` is its error code. */
  | { readonly type: "refused"; readonly code: string }
  /** The service could not be reached, or its response is invalid. */
  | { readonly type: "failed"; readonly why: string };

const Answer = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  refresh_token: z.string().min(1).nullish(),
  id_token: z.string().min(1).nullish(),
});
const Word = z.string().regex(/^[a-z_]{1,60}$/);
const Refusal = z.object({ error: z.union([Word, z.object({ code: Word })]) });

/**
 * Asks the login's issuer for new tokens, as Codex 0.169 does.
 *
 * SECURITY: the refresh token goes only to its issuer, over verified TLS or to this machine.
 * Redirects are not followed, and no error quotes the request or the response.
 */
export async function refreshTokens(
  login: Login,
  options: { readonly agent: Agent; readonly signal: AbortSignal },
): Promise<Result<NewTokens, RefreshError>> {
  const url = endpointOf(login.issuer);
  if (url === undefined)
    return err({ type: "failed", why: "its issuer is neither https nor on this machine" });
  const body = JSON.stringify({
    client_id: login.clientId,
    grant_type: "refresh_token",
    refresh_token: login.refreshToken,
  });
  try {
    const { status, text } = await post(url, body, options);
    return parseAnswer(status, text);
  } catch (cause) {
    const { code, name } = cause as NodeJS.ErrnoException;
    return err({ type: "failed", why: `${url.host} cannot be reached (${code ?? name})` });
  }
}

function endpointOf(issuer: string): URL | undefined {
  if (!URL.canParse(issuer)) return undefined;
  const url = new URL(issuer);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    return undefined;
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/oauth/token`;
  return url;
}

function post(
  url: URL,
  body: string,
  { agent, signal }: { readonly agent: Agent; readonly signal: AbortSignal },
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      accept: "application/json",
      "accept-encoding": "identity",
    };
    const options = { method: "POST", headers, signal };
    const out: ClientRequest =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, agent })
        : httpRequest(url, options);
    out.on("error", reject);
    out.on("response", (answer: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on("error", reject);
      answer.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) answer.destroy(new Error("too large"));
        else chunks.push(chunk);
      });
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: answer.statusCode ?? 0, text });
      });
    });
    out.end(body);
  });
}

function parseAnswer(status: number, text: string): Result<NewTokens, RefreshError> {
  if (status === 400 || status === 401 || status === 403) {
    const refusal = Refusal.safeParse(parseJson(text)).data?.error;
    const code = typeof refusal === "string" ? refusal : (refusal?.code ?? `status ${status}`);
    return err({ type: "refused", code });
  }
  if (status !== 200) return err({ type: "failed", why: `it answers with status ${status}` });
  const answer = Answer.safeParse(parseJson(text));
  if (!answer.success) return err({ type: "failed", why: "its answer has no token" });
  const { access_token, refresh_token, id_token } = answer.data;
  return ok({
    accessToken: access_token,
    refreshToken: refresh_token ?? undefined,
    idToken: id_token ?? undefined,
  });
}
