/** The pinned Codex's own login, run as the plugin runs it, with a double of the service. */

import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readLogin } from "../../src/login/auth-file.ts";
import { type CodexLogin, logout, startLogin } from "../../src/login/codex-login.ts";
import { ChatGptService } from "../support/chatgpt.ts";
import { program } from "./support.ts";

async function setUp(changes: Partial<CodexLogin> = {}) {
  const service = await ChatGptService.start();
  const base = await mkdtemp(join(tmpdir(), "codex-chat-login-"));
  onTestFinished(async () => {
    await service[Symbol.asyncDispose]();
    await rm(base, { recursive: true });
  });
  const home = join(base, "login");
  const env = { PATH: "/nowhere", OPENAI_API_KEY: "sk-canary", SECRET: "canary", TZ: "UTC" };
  return { service, base, home, login: { program, home, issuer: service.url, env, ...changes } };
}

describe("Codex's login", () => {
  it("with a device's code leaves a login for the user alone, and logging out ends it", async () => {
    const { service, home, login } = await setUp();

    const attempt = await startLogin({ ...login, method: "device" });
    if (!attempt.ok) throw new Error(attempt.error.message);
    expect(attempt.value).toMatchObject({ url: `${service.url}/codex/device`, code: "ABCD-1234" });
    expect(await attempt.value.done).toEqual({ ok: true, value: undefined });

    expect(await readLogin(home)).toMatchObject({
      ok: true,
      value: {
        accessToken: service.secrets[1],
        refreshToken: service.secrets[2],
        accountId: "acc-canary-7-0123456789",
        email: "someone@example.org",
        issuer: service.url,
      },
    });
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    expect((await stat(join(home, "auth.json"))).mode & 0o777).toBe(0o600);

    expect(await logout(login)).toEqual({ ok: true, value: undefined });
    expect(await readLogin(home)).toEqual({ ok: true, value: undefined });
    const revoked = service.asked.find(({ path }) => path === "/oauth/revoke");
    expect(JSON.parse(revoked?.body ?? "{}")).toMatchObject({ token: service.secrets[2] });
  });

  it("with the browser answers on loopback, and takes the service's word only", async () => {
    const { service, home, login } = await setUp();

    const attempt = await startLogin({ ...login, method: "browser" });
    if (!attempt.ok) throw new Error(attempt.error.message);
    const url = new URL(attempt.value.url);
    expect(url.origin).toBe(service.url);
    const back = new URL(url.searchParams.get("redirect_uri") ?? "");
    expect(back.hostname).toBe("127.0.0.1");
    back.searchParams.set("code", "code-1");
    back.searchParams.set("state", "forged");
    expect((await fetch(back, { redirect: "manual" })).status).toBe(400);
    expect(await readLogin(home)).toEqual({ ok: true, value: undefined });

    back.searchParams.set("state", url.searchParams.get("state") ?? "");
    // Codex waits until the browser has loaded the page that it is redirected to.
    expect((await fetch(back)).status).toBe(200);
    expect(await attempt.value.done).toEqual({ ok: true, value: undefined });
    expect(await readLogin(home)).toMatchObject({ value: { email: "someone@example.org" } });
  });

  it("ends when it is cancelled, and leaves nothing", async () => {
    const { home, login } = await setUp();
    const attempt = await startLogin({ ...login, method: "browser" });
    if (!attempt.ok) throw new Error(attempt.error.message);
    attempt.value.cancel();
    expect(await attempt.value.done).toMatchObject({
      ok: false,
      error: { kind: "login_failed", message: expect.stringContaining("it was cancelled") },
    });
    expect(await readLogin(home)).toEqual({ ok: true, value: undefined });
    // The port is free again.
    const next = await startLogin({ ...login, method: "browser" });
    expect(next.ok).toBe(true);
    if (next.ok) next.value.cancel();
  });

  it("says that the service cannot be reached", async () => {
    const { login } = await setUp({ issuer: "http://127.0.0.1:1" });
    expect(await startLogin({ ...login, method: "device" })).toMatchObject({
      ok: false,
      error: { kind: "login_failed", fix: expect.stringContaining(":CodexChat login") },
    });
  });

  it("says that there is no Codex", async () => {
    const { login } = await setUp({ program: "/nowhere/codex" });
    expect(await startLogin({ ...login, method: "device" })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("could not be started (ENOENT)") },
    });
  });

  it("gets only what it needs of the environment, and no secret as an argument", async () => {
    const { base, home, login } = await setUp();
    const spy = join(base, "codex");
    await writeFile(spy, `#!/bin/sh\n{ env; echo "$@"; } > "$HOME/seen"\n`);
    await chmod(spy, 0o755);

    expect(await startLogin({ ...login, program: spy, method: "device" })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("Codex ended") },
    });

    const seen = await readFile(join(home, "seen"), "utf8");
    expect(seen).not.toContain("canary");
    expect(seen).toContain(`CODEX_HOME=${home}`);
    expect(seen).toContain("TZ=UTC");
    expect(seen).toContain("PATH=/usr/bin:/bin");
    expect(await readdir(home)).toEqual(["seen"]);
  });
});
