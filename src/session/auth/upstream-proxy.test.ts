import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { networkLines } from "../health/health-network.ts";
import { Settings } from "../settings/settings.ts";
import { endpointOf } from "./endpoint.ts";
import { KeyRing } from "./key-command.ts";
import { goesThrough, upstreamProxyOf } from "./upstream-proxy.ts";

const PROXY = "http://proxy.test:3128";

function settings(network: object, more: object = {}): Settings {
  return Settings.parse({ state_dir: "/nowhere", network, ...more });
}

/** A command that prints these lines. */
async function printing(text: string): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-proxy-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, "command");
  await writeFile(path, `#!/bin/sh\nprintf '%s' '${text}'\n`);
  await chmod(path, 0o700);
  return [path];
}

describe("a company's proxy", () => {
  it("comes from the settings and never from the environment", () => {
    const env = { HTTPS_PROXY: PROXY, https_proxy: PROXY };
    const keys = new KeyRing();
    expect(upstreamProxyOf({ settings: settings({}), env, keys })).toBeUndefined();
    expect(upstreamProxyOf({ settings: settings({ proxy: PROXY }), env: {}, keys })?.url.host).toBe(
      "proxy.test:3128",
    );
  });

  it("gets the first line of its command, which must be user:password", async () => {
    const told = async (text: string) => {
      const network = { proxy: PROXY, proxy_auth_cmd: await printing(text) };
      const upstreamProxy = upstreamProxyOf({
        settings: settings(network),
        env: {},
        keys: new KeyRing(),
      });
      return upstreamProxy?.credentials?.();
    };
    expect(await told("me:pass word:1\nnotes")).toEqual({ ok: true, value: "me:pass word:1" });
    expect(await told("secret")).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("is not user:password") },
    });
    expect(JSON.stringify(await told("secret"))).not.toContain("secret");
    expect(await told("")).toMatchObject({
      error: { message: expect.stringContaining("(network.proxy_auth_cmd, ") },
    });
  });

  it.each([
    ["http://me:secret@proxy.test:3128", "contains a user"],
    ["https://proxy.test:3128", "must be the address of an http proxy"],
    ["socks5://proxy.test:1080", "must be the address of an http proxy"],
    ["proxy.test:3128", "must be the address of an http proxy"],
    ["http://proxy.test:3128/path", "has more than a host and a port"],
  ])("is refused if it is %s", (proxy, why) => {
    const parsed = Settings.safeParse({ state_dir: "/nowhere", network: { proxy } });
    expect(parsed.error?.issues[0]?.message).toContain(why);
  });

  it("is used except for this machine and the hosts in no_proxy", () => {
    const some = settings({ proxy: PROXY, no_proxy: ["*.near.test", "10.0.0.5:8080"] });
    const goes = (url: string) => goesThrough(some, new URL(url));
    expect(goes("https://api.test/v1")).toBe(true);
    expect(goes("https://10.0.0.5/v1")).toBe(true);
    expect(goes("https://a.near.test/v1")).toBe(false);
    expect(goes("http://10.0.0.5:8080/v1")).toBe(false);
    expect(goes("http://localhost:11434/v1")).toBe(false);
    expect(goes("http://llm.localhost:11434/v1")).toBe(false);
    expect(goesThrough(settings({}), new URL("https://api.test/v1"))).toBe(false);
  });

  it("refuses an endpoint in clear text and names the fix", () => {
    const url = { model_url: "http://model.test:8080/v1" };
    expect(endpointOf(settings({ proxy: PROXY }, url))).toMatchObject({
      ok: false,
      error: { fix: expect.stringContaining('network.no_proxy: { "model.test:8080" }') },
    });
    expect(endpointOf(settings({ proxy: PROXY, no_proxy: ["model.test:8080"] }, url)).ok).toBe(
      true,
    );
    expect(endpointOf(settings({}, url)).ok).toBe(true);
  });

  it("is shown by the health check, as is an ignored one in the environment", () => {
    expect(networkLines(settings({}), {})).toEqual([]);
    expect(networkLines(settings({ proxy: PROXY }), {})).toMatchObject([
      { level: "ok", message: expect.stringContaining("proxy.test:3128") },
    ]);
    const [line] = networkLines(settings({}), { https_proxy: "http://me:secret@proxy.test" });
    expect(line).toMatchObject({ level: "info", message: expect.stringContaining("https_proxy") });
    expect(JSON.stringify(line)).not.toContain("secret");
  });
});
