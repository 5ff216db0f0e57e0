import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exec, reply, silence } from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

describe("the handshake", () => {
  it("names the version and the home, and happens once", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = AppServer.spawn({ home, model });
    const { client } = server;
    const who = { name: "codex-chat.nvim", title: "codex-chat.nvim", version: "0.1.0" };

    expect(await client.request("model/list", {})).toMatchObject({
      error: { kind: "refused", message: "Codex refused model/list: Not initialized" },
    });
    const version = JSON.parse(
      await readFile(new URL("../../package.json", import.meta.url), "utf8"),
    ).dependencies["@openai/codex"];
    expect(await client.initialize(who)).toMatchObject({
      ok: true,
      value: {
        codexHome: home.path,
        userAgent: expect.stringContaining(`codex-chat.nvim/${version}`),
      },
    });
    expect(await client.initialize(who)).toMatchObject({
      error: { kind: "refused", message: "Codex refused initialize: Already initialized" },
    });
  });
});

describe("our arguments", () => {
  it("are all known to Codex", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = await AppServer.start({
      home,
      model,
      terminals: false,
      args: ["--strict-config"],
    });
    expect(await server.turn(await server.startThread(), "Hello.")).toMatchObject({
      status: "completed",
    });
    expect(server.all("configWarning")).toEqual([]);
    expect(server.all("deprecationNotice")).toEqual([]);
    expect(server.all("warning")).toEqual([]);
  });

  it("are refused when one is wrong", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = AppServer.spawn({
      home,
      model,
      args: ["--strict-config", "-c", "features.plugin=false"],
    });
    expect(await server.exitCode()).toBe(1);
    expect(server.stderr).toContain("plugin");
  });

  it("make Codex dial only the model's endpoint, without a key", async () => {
    const dialled: string[] = [];
    const proxy = createServer((request, response) => {
      dialled.push(`${request.method} ${request.url}`);
      response.writeHead(403).end();
    });
    proxy.on("connect", (request, socket) => {
      dialled.push(`CONNECT ${request.url}`);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const env = {
      HTTP_PROXY: url,
      HTTPS_PROXY: url,
      http_proxy: url,
      https_proxy: url,
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
      OPENAI_API_KEY: "sk-of-the-environment",
    };
    {
      await using home = await CodexHome.make();
      await using model = await ScriptedModel.start();
      await using server = await AppServer.start({ home, model, env });
      const thread = await server.startThread();
      await server.turn(thread, "Hello.");
      await server.turn(thread, "And again.");
      expect(model.recorded).toHaveLength(2);
      for (const { method, path, headers } of model.recorded) {
        expect([method, path]).toEqual(["POST", "/v1/responses"]);
        expect(headers.authorization).toBeUndefined();
      }
    }
    proxy.closeAllConnections();
    proxy.close();
    expect(dialled).toEqual([]);
  });

  it("win over the files that a program inside can write", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await home.writeConfig([
      // Without our argument, this value would end every start.
      'approval_policy = "untrusted"',
      'model = "gpt-5.5-of-the-file"',
      'model_provider = "elsewhere"',
      "[model_providers.elsewhere]",
      'name = "elsewhere"',
      'base_url = "http://127.0.0.1:1/v1"',
      "[model_providers.codex-chat]",
      'name = "taken"',
      'base_url = "http://127.0.0.1:1/v1"',
      'env_key = "SECRET"',
    ]);
    await using server = await AppServer.start({ home, model, env: { SECRET: "sk-secret" } });
    expect(await server.turn(await server.startThread(), "Hello.")).toMatchObject({
      status: "completed",
    });
    expect(model.requests[0]?.model).toBe("gpt-5.5");
  });

  it.each([
    ["not toml"],
    ["[mcp_servers.x]", "command = 5"],
    ["[model_providers.other]", 'name = "other"', 'wire_api = "chat"'],
  ])(
    "do not help against a file that cannot be read, which the error names: %s",
    async (...toml) => {
      await using home = await CodexHome.make();
      await using model = await ScriptedModel.start();
      await home.writeConfig(toml);
      await using server = await AppServer.start({ home, model });
      const refused = await server.client.request("thread/start", {
        cwd: home.project,
        sandbox: "danger-full-access",
        approvalPolicy: "never",
      });
      expect(refused).toMatchObject({
        error: {
          kind: "invalid_config",
          message: expect.stringContaining(`${home.path}/config.toml`),
        },
      });
    },
  );
});

describe("the app-server", () => {
  it("ends when its stdin does", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = await AppServer.start({ home, model });
    server.client.close();
    expect(await server.exitCode()).toBe(0);
  });

  it("ends in the middle of a turn as well, with its command", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    model.answer((_request, n) =>
      n === 0 ? reply(exec("echo $$ > pid; sleep 86398", { yieldMs: 250 })) : reply(silence()),
    );
    await using server = await AppServer.start({ home, model });
    await server.startTurn(await server.startThread(), "Sleep.");
    await expect.poll(() => model.requests.length, { timeout: 20_000 }).toBe(2);
    const pid = Number(await readFile(join(home.project, "pid"), "utf8"));

    server.client.close();

    expect(await server.exitCode()).toBe(0);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });

  it("settles waiting requests when it is killed", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    model.answer(() => reply(silence()));
    await using server = await AppServer.start({ home, model });
    await server.startTurn(await server.startThread(), "Hello.");
    server.process.kill("SIGSTOP");
    const waiting = server.client.request("model/list", {});
    server.kill();
    expect(await waiting).toMatchObject({ error: { kind: "closed" } });
    await server.client.closed;
  });

  it("says on stderr why it does not start", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = AppServer.spawn({
      home,
      model,
      args: ["-c", 'approval_policy="untrusted"'],
    });
    const hello = await server.client.initialize({ name: "n", title: "t", version: "0" });
    expect(hello).toMatchObject({ error: { kind: "closed" } });
    expect(await server.exitCode()).toBe(1);
    expect(server.stderr).toContain('approval_policy = "untrusted" is no longer supported');
  });
});

describe("the models", () => {
  it("are listed without a network, one of them the default", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = await AppServer.start({ home, model });
    const listed = await server.client.request("model/list", {});
    if (!listed.ok) throw new Error(listed.error.message);
    const { data } = listed.value;
    expect(data.filter((entry) => entry.isDefault)).toHaveLength(1);
    expect(data.map((entry) => entry.model)).toContain("gpt-5.5");
    for (const model of data) {
      expect(model.displayName).not.toBe("");
      expect(model.supportedReasoningEfforts.map((effort) => effort.reasoningEffort)).toContain(
        model.defaultReasoningEffort,
      );
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
