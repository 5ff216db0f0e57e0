import { Agent } from "node:https";
import { expect, it } from "vitest";
import { refreshTokens } from "./token-endpoint.ts";

it.each(["http://issuer.example", "http://issuer.localhost", "ftp://localhost", "no address"])(
  "sends the refresh token in clear text to no issuer but this machine: %s",
  async (issuer) => {
    const login = { issuer, clientId: "client-1", refreshToken: "secret" };
    const signal = AbortSignal.timeout(10_000);
    expect(await refreshTokens(login, { agent: new Agent(), signal })).toEqual({
      ok: false,
      error: { type: "failed", why: "its issuer is neither https nor on this machine" },
    });
  },
);
