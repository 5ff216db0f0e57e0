/** Using and renewing a login, with a double of the service and the real lock. */

import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { ChatGptService } from "../../test/support/chatgpt.ts";
import { recordingLog } from "../../test/support/egress.ts";
import { writeAtomically } from "../atomic-write.ts";
import { lockFile } from "../chat/file/file-lock.ts";
import { type LoginEvent, type LoginTools, TokenRefresher } from "./token-refresher.ts";

const MINUTE = 60_000;

/** A service, a Codex home with a login, and refreshers for it, as several Neovims have them. */
async function setUp(options: { lifeMs?: number; login?: boolean } = {}) {
  const service = await ChatGptService.start();
  const home = await mkdtemp(join(tmpdir(), "codex-chat-login-"));
  onTestFinished(async () => {
    await service[Symbol.asyncDispose]();
    await rm(home, { recursive: true });
  });
  service.lifeMs = options.lifeMs ?? 60 * MINUTE;
  const path = join(home, "auth.json");
  if (options.login !== false) await writeFile(path, service.authFile(), { mode: 0o600 });
  const clock = { ms: Date.now() };
  const said: unknown[] = [];
  const logged: string[] = [];
  const events: LoginEvent[] = [];
  const tools: LoginTools = {
    lock: async (file, signal) => {
      for (;;) {
        const lock = await lockFile(file);
        if (lock.ok || lock.error.kind !== "locked" || signal.aborted) return lock;
        await sleep(5);
      }
    },
    write: writeAtomically,
    agent: () => new Agent(),
    now: () => clock.ms,
  };
  const keeper = () =>
    new TokenRefresher({
      home,
      tools,
      log: recordingLog(logged),
      onEvent: (event) => events.push(event),
    });
  /** Whether any token is in what was said or logged. */
  const leaked = () => {
    const all = JSON.stringify([said, logged, events]);
    return service.secrets.some((secret) => all.includes(secret));
  };
  return { service, home, path, clock, keeper, events, said, leaked };
}

describe("a login", () => {
  it("returns the token unchanged while it is valid", async () => {
    const { keeper, service } = await setUp();
    expect(await keeper().login()).toMatchObject({
      ok: true,
      value: { accessToken: service.secrets[1], accountId: "acc-canary-7-0123456789" },
    });
    expect(await keeper().state()).toMatchObject({
      ok: true,
      value: { email: "someone@example.org", plan: "plus" },
    });
    expect(service.refreshes).toBe(0);
  });

  it("renews the token before it expires and keeps the rest of its file", async () => {
    const { keeper, service, path, home, events, leaked } = await setUp({ lifeMs: 4 * MINUTE });
    const before = JSON.parse(await readFile(path, "utf8"));
    service.lifeMs = 60 * MINUTE;

    const login = await keeper().login();

    expect(login.ok && login.value.accessToken).toBe(service.secrets[4]);
    const after = JSON.parse(await readFile(path, "utf8"));
    expect(after).toEqual({
      ...before,
      tokens: {
        ...before.tokens,
        id_token: service.secrets[3],
        access_token: service.secrets[4],
        refresh_token: service.secrets[5],
      },
      last_refresh: expect.any(String),
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(home)).toEqual(["auth.json"]);
    expect(JSON.parse(service.asked[0]?.body ?? "")).toEqual({
      client_id: "client-1",
      grant_type: "refresh_token",
      refresh_token: service.secrets[2],
    });
    expect(events).toEqual([{ type: "refreshed" }]);
    expect(leaked()).toBe(false);
  });

  it("is renewed once for all Neovim instances, however many calls need it", async () => {
    const { keeper, service } = await setUp({ lifeMs: -MINUTE });
    service.lifeMs = 60 * MINUTE;
    const keepers = Array.from({ length: 4 }, keeper);

    const logins = await Promise.all(Array.from({ length: 40 }, (_, n) => keepers[n % 4]?.login()));

    expect(service.refreshes).toBe(1);
    expect(
      logins.every((login) => login?.ok && login.value.accessToken === service.secrets[4]),
    ).toBe(true);
  });

  it("uses the token that another Neovim has renewed", async () => {
    const { keeper, service } = await setUp();
    const [one, two] = [keeper(), keeper()];
    await one.login();
    await two.login();
    expect(await one.renew()).toBe(true);
    expect(await two.renew()).toBe(true);
    expect(service.refreshes).toBe(1);
  });
});

describe("a token that the endpoint refuses", () => {
  it("renews a refused token once, and not again for minutes however often calls fail", async () => {
    const { keeper, service, clock } = await setUp();
    const [one, two] = [keeper(), keeper()];
    await one.login();
    expect(await one.renew()).toBe(true);

    for (let n = 0; n < 50; n++) {
      const login = await (n % 2 === 0 ? one : two).login();
      expect(login.ok && login.value.accessToken).toBe(service.secrets[4]);
      expect(await (n % 2 === 0 ? one : two).renew()).toBe(false);
    }
    expect(service.refreshes).toBe(1);

    clock.ms += 6 * MINUTE;
    expect(await one.renew()).toBe(true);
    expect(service.refreshes).toBe(2);
  });
});

describe("a renewal that fails", () => {
  it("reports a login that expired for good with its fix, does not retry, and uses a new login", async () => {
    const { keeper, service, path, clock, said, leaked } = await setUp({ lifeMs: -MINUTE });
    const code = "refresh_token_expired";
    service.refusal = { status: 401, body: JSON.stringify({ error: { code } }) };
    const one = keeper();

    const login = await one.login();
    said.push(login);

    expect(login).toEqual({
      ok: false,
      error: {
        kind: "login_expired",
        message: "The ChatGPT login is no longer valid (refresh_token_expired).",
        fix: "Log in again with :CodexChat login.",
      },
    });
    clock.ms += 60 * MINUTE;
    expect(await one.login()).toEqual(login);
    expect(service.refreshes).toBe(1);
    expect(leaked()).toBe(false);

    service.refusal = undefined;
    service.lifeMs = 300 * MINUTE;
    await writeFile(path, service.authFile());
    expect(await one.login()).toMatchObject({ ok: true });
  });

  it.each<[string, number, string]>([
    ["status 500", 500, "sorry"],
    ["a response without tokens", 200, "{}"],
    ["a response that is not JSON", 200, "<html>"],
    ["a redirect", 307, ""],
    ["a token that no header can hold", 200, JSON.stringify({ access_token: "a\nb" })],
  ])(
    "leaves the file after a temporary failure (%s), and tries again later",
    async (_name, status, body) => {
      const { keeper, service, path, clock, events } = await setUp({ lifeMs: 4 * MINUTE });
      const before = await readFile(path, "utf8");
      service.refusal = { status, body };
      const one = keeper();

      // A token that is still valid is used.
      for (let n = 0; n < 5; n++) expect(await one.login()).toMatchObject({ ok: true });
      expect(service.refreshes).toBe(1);
      expect(events).toEqual([
        { type: "failed", reason: expect.stringContaining("not be renewed") },
      ]);
      clock.ms += 4.5 * MINUTE;
      expect(await one.login()).toMatchObject({ ok: false, error: { kind: "login_refresh" } });
      expect(await readFile(path, "utf8")).toBe(before);

      service.refusal = undefined;
      clock.ms += MINUTE;
      expect(await one.login()).toMatchObject({ ok: true });
      expect(service.refreshes).toBe(2);
    },
  );

  it("quotes nothing from the service's response", async () => {
    const { keeper, service, path, said, leaked } = await setUp({ lifeMs: -MINUTE });
    // As if another process had renewed it: the double's response echoes the token.
    service.tokens();
    said.push(await keeper().login(), await readFile(path, "utf8").then(() => "read"));
    expect(JSON.stringify(said)).toContain("refresh_token_reused");
    expect(leaked()).toBe(false);
  });

  it.each(["http://auth.example.org", "http://auth.localhost", "ftp://127.0.0.1", "nonsense"])(
    "sends the refresh token to no issuer like %s",
    async (issuer) => {
      const { keeper, service, path } = await setUp({ lifeMs: -MINUTE });
      const file = JSON.parse(await readFile(path, "utf8"));
      file.tokens.oauth_provenance.issuer = issuer;
      await writeFile(path, JSON.stringify(file));
      expect(await keeper().login()).toMatchObject({
        ok: false,
        error: { message: expect.stringContaining("neither https nor on this machine") },
      });
      expect(service.asked).toEqual([]);
    },
  );
});

describe("a login file is refused", () => {
  it.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    ["is readable by others", (path) => chmod(path, 0o640), /other users can read it/],
    [
      "is a link",
      async (path) => {
        await rm(path);
        await symlink("/etc/hostname", path);
      },
      /ELOOP/,
    ],
    ["is not JSON", (path) => writeFile(path, "refresh-canary{"), /it is not JSON/],
    [
      "has another form",
      (path) => writeFile(path, '{"tokens":{"access_token":"refresh-canary x"}}'),
      /not a login file of Codex/,
    ],
  ])("if it %s, without quoting it", async (_name, spoil, why) => {
    const { keeper, path } = await setUp();
    await spoil(path);
    const login = await keeper().login();
    expect(login).toMatchObject({ ok: false, error: { kind: "login_unreadable" } });
    expect(!login.ok && login.error.message).toMatch(why);
    expect(JSON.stringify(login)).not.toContain("refresh-canary");
  });

  it("if it is missing, with the command that creates one", async () => {
    const { keeper } = await setUp({ login: false });
    expect(await keeper().login()).toMatchObject({
      ok: false,
      error: { kind: "no_login", fix: "Log in with :CodexChat login." },
    });
    expect(await keeper().state()).toEqual({ ok: true, value: undefined });
    expect(await keeper().renew()).toBe(false);
  });
});
