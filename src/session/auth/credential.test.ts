import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ChatGptService } from "../../../test/support/chatgpt.ts";
import type { AuditEntry } from "../../audit/entry.ts";
import { silentLog } from "../../log.ts";
import { Settings } from "../settings/settings.ts";
import { Account } from "./account.ts";
import { credentialLine, openCredential, warningOf } from "./credential.ts";
import { KeyRing } from "./key-command.ts";

const KEY = "sk-canary-0123456789";

/** Looks for a credential with these settings and this environment. */
async function setUp(settings: object, env: NodeJS.ProcessEnv = { OPENAI_API_KEY: KEY }) {
  const stateDir = await mkdtemp(join(tmpdir(), "codex-chat-credential-"));
  onTestFinished(() => rm(stateDir, { recursive: true }));
  const entries: AuditEntry[] = [];
  const audit = { record: (entry: AuditEntry) => entries.push(entry), close: async () => {} };
  const options = {
    settings: Settings.parse({ state_dir: stateDir, ...settings }),
    env: { PATH: process.env["PATH"], ...env },
    keys: new KeyRing(),
    account: new Account({ stateDir, env, log: silentLog }),
    audit,
  };
  return { stateDir, entries, options, open: () => openCredential(options) };
}

async function headersOf(settings: object, env?: NodeJS.ProcessEnv): Promise<unknown> {
  const { open } = await setUp(settings, env);
  const credential = await open();
  if (!credential.ok) return credential.error;
  const found = await credential.value.authorization();
  return found.ok ? Object.fromEntries(found.value) : found.error;
}

describe("the authorization of calls", () => {
  it.each<[string, object, NodeJS.ProcessEnv, object]>([
    [
      "the key in OPENAI_API_KEY",
      {},
      { OPENAI_API_KEY: ` ${KEY}\n` },
      { authorization: `Bearer ${KEY}` },
    ],
    [
      "the key in another variable",
      { api_key_env: "MINE" },
      { MINE: KEY, OPENAI_API_KEY: "no" },
      { authorization: `Bearer ${KEY}` },
    ],
    [
      "a command's output, rather than a variable",
      { api_key_cmd: ["echo", "of-command"] },
      { OPENAI_API_KEY: "no" },
      { authorization: "Bearer of-command" },
    ],
    [
      "the key in the provider's own header",
      { api_key_header: "Api-Key", model_url: "https://x.example/openai" },
      { OPENAI_API_KEY: KEY },
      { "api-key": KEY },
    ],
    [
      "the key in a header with the default name",
      { api_key_header: "Authorization" },
      { OPENAI_API_KEY: KEY },
      { authorization: `Bearer ${KEY}` },
    ],
    [
      "additional secret headers",
      { model_headers: { "X-Gateway-Token": "gate-1", "X-Team": "a" } },
      { OPENAI_API_KEY: KEY },
      { authorization: `Bearer ${KEY}`, "x-gateway-token": "gate-1" },
    ],
    [
      "nothing, if so configured",
      { auth: "none", model_url: "http://127.0.0.1:1/v1" },
      { OPENAI_API_KEY: KEY },
      {},
    ],
    [
      "nothing, without a key and without a known need for one",
      { model_url: "http://127.0.0.1:1/v1" },
      {},
      {},
    ],
  ])("may be %s", async (_name, settings, env, expected) => {
    expect(await headersOf(settings, env)).toEqual(expected);
  });

  it("is sent with the configured query parameters and headers", async () => {
    const { open } = await setUp({
      model_url: "https://x.example/openai/v1",
      model_query: { "api-version": "2025-04-01-preview" },
      model_headers: { "OpenAI-Organization": "org-1" },
    });
    const found = await open();
    expect(found.ok && found.value.endpoint.url.href).toBe(
      "https://x.example/openai/v1?api-version=2025-04-01-preview",
    );
    expect(found.ok && found.value.endpoint.headers).toEqual([["openai-organization", "org-1"]]);
  });

  it("has a warning if the key would be sent over a network in clear text", async () => {
    const warning = async (settings: object) => {
      const found = await (await setUp(settings)).open();
      return found.ok ? warningOf(found.value) : "failed";
    };
    expect(await warning({ model_url: "http://10.0.0.5:8080/v1" })).toContain("in clear text");
    expect(await warning({ model_url: "http://llm.localhost/v1" })).toContain("in clear text");
    expect(await warning({ model_url: "http://localhost:8080/v1" })).toBeUndefined();
    expect(await warning({ model_url: "http://10.0.0.5/v1", auth: "none" })).toBeUndefined();
    expect(await warning({ model_url: "https://x.example/v1" })).toBeUndefined();
  });
});

describe("a mistake in the settings is reported with its fix", () => {
  it.each<[string, object, NodeJS.ProcessEnv, string, RegExp, RegExp]>([
    [
      "no key",
      {},
      {},
      "no_key",
      /OPENAI_API_KEY is not set/,
      /api_key_cmd[\s\S]*auth = "login"[\s\S]*:CodexChat login/,
    ],
    ["an empty key", {}, { OPENAI_API_KEY: "  " }, "no_key", /is not set/, /export OPENAI_API_KEY/],
    [
      "no key although one is required",
      { auth: "key", model_url: "http://127.0.0.1:1" },
      {},
      "no_key",
      /127\.0\.0\.1 needs one/,
      /export/,
    ],
    [
      "a key with a space",
      {},
      { OPENAI_API_KEY: "a b" },
      "key_command",
      /\$OPENAI_API_KEY contains spaces/,
      /only the key/,
    ],
    [
      "a key with a line break",
      {},
      { OPENAI_API_KEY: "a\nx: b" },
      "key_command",
      /contains spaces, control/,
      /only the key/,
    ],
    [
      "a command that fails",
      { api_key_cmd: ["false"] },
      {},
      "key_command",
      /it ended with 1/,
      /in a terminal/,
    ],
    [
      "no login",
      { auth: "login" },
      {},
      "no_login",
      /no ChatGPT login/,
      /:CodexChat login.*auth = "key"/,
    ],
    [
      "a login for another endpoint",
      { auth: "login", model_url: "https://evil.example/v1" },
      {},
      "wrong_settings",
      /must not get your login/,
      /Remove model_url/,
    ],
    [
      "a login over http",
      { auth: "login", login_url: "http://evil.example" },
      {},
      "wrong_settings",
      /over https only/,
      /login_url/,
    ],
    [
      "a login over http to a name below .localhost",
      { auth: "login", login_url: "http://llm.localhost" },
      {},
      "wrong_settings",
      /over https only/,
      /login_url/,
    ],
    [
      "none and a command",
      { auth: "none", api_key_cmd: ["x"] },
      {},
      "wrong_settings",
      /api_key_cmd contradict/,
      /Remove one/,
    ],
    [
      "an invalid header",
      { api_key_header: "api key" },
      { OPENAI_API_KEY: KEY },
      "wrong_settings",
      /"api key"/,
      /x-api-key/,
    ],
    [
      "a header that controls the call",
      { api_key_header: "Host" },
      { OPENAI_API_KEY: KEY },
      "wrong_settings",
      /"Host"/,
      /x-api-key/,
    ],
    [
      "another header that controls the call",
      { model_headers: { "Content-Length": "5" } },
      {},
      "wrong_settings",
      /content-length/,
      /api_key_header/,
    ],
    [
      "a key among the headers",
      { model_headers: { Authorization: "x" } },
      {},
      "wrong_settings",
      /authorization/,
      /api_key_header/,
    ],
    [
      "a header with a line break",
      { model_headers: { "X-A": "a\r\nb: c" } },
      {},
      "wrong_settings",
      /x-a in model_headers contains line breaks/,
      /one line/,
    ],
  ])("%s", async (_name, settings, env, kind, message, fix) => {
    const { open, entries } = await setUp(settings, env);
    const found = await open();
    expect(found).toMatchObject({ ok: false, error: { kind } });
    expect(!found.ok && found.error.message).toMatch(message);
    expect(!found.ok && found.error.fix).toMatch(fix);
    for (const entry of entries)
      expect(entry).toMatchObject({ event: "credential", action: "failed", reason: kind });
  });
});

describe("a login", () => {
  it("authorizes calls with its token and account, is renewed, and is audited without secrets", async () => {
    await using service = await ChatGptService.start();
    const { stateDir, open, entries, options } = await setUp({ auth: "login" });
    await mkdir(join(stateDir, "login"), { mode: 0o700 });
    await writeFile(join(stateDir, "login", "auth.json"), service.authFile(), { mode: 0o600 });

    const credential = await open();
    if (!credential.ok) throw new Error(credential.error.message);
    expect(credential.value.endpoint.url.href).toBe("https://chatgpt.com/backend-api/codex");
    expect(await credential.value.authorization()).toEqual({
      ok: true,
      value: [
        ["authorization", `Bearer ${service.secrets[1]}`],
        ["chatgpt-account-id", "acc-canary-7-0123456789"],
      ],
    });
    expect(await credential.value.renew()).toBe(true);
    expect(await credential.value.authorization()).toMatchObject({
      value: [["authorization", `Bearer ${service.secrets[4]}`], expect.anything()],
    });
    expect(await credential.value.renew()).toBe(false);

    expect(entries.map((entry) => entry.event === "credential" && entry.action)).toEqual([
      "found",
      "renewed",
      "refused",
    ]);
    const all = JSON.stringify(entries);
    for (const secret of [...service.secrets, "acc-canary"]) expect(all).not.toContain(secret);
    expect(await credentialLine(options)).toBe("ChatGPT login: someone@example.org (plus)");
  });
});

describe("the status line of a credential", () => {
  it.each<[object, string]>([
    [{}, "the key in $OPENAI_API_KEY"],
    [{ api_key_env: "NONE" }, "no key: $NONE is not set"],
    [{ api_key_cmd: ["pass", "openai"] }, "the key that pass prints"],
    [{ auth: "none" }, "none"],
    [{ auth: "login" }, "ChatGPT login: not logged in; see :CodexChat login"],
  ])("for %j is %s", async (settings, line) => {
    expect(await credentialLine((await setUp(settings)).options)).toBe(line);
  });
});
