import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ChatGptService } from "../../../test/support/chatgpt.ts";
import { itUnlessRoot } from "../../../test/support/root.ts";
import { checkHealth } from "./health.ts";

const KEY = "sk-canary-0123456789";

/** The health check's line about the model, on a machine without an engine. */
async function modelLine(settings: object, env: NodeJS.ProcessEnv, login?: string) {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  if (login !== undefined) {
    await mkdir(join(dir, "login"), { mode: 0o700 });
    await writeFile(join(dir, "login", "auth.json"), login, { mode: 0o600 });
  }
  const sandbox = { engine: `unix://${dir}/nobody.sock` };
  const lines = await checkHealth({ state_dir: dir, sandbox, ...settings }, env);
  expect(JSON.stringify(lines)).not.toContain("canary");
  return lines.find(({ section }) => section === "Model");
}

describe("the health of the model's endpoint", () => {
  it.each<[string, object, NodeJS.ProcessEnv, string, RegExp]>([
    [
      "with a key",
      {},
      { OPENAI_API_KEY: KEY },
      "ok",
      /api\.openai\.com is called with the key from \$OPENAI_API_KEY, which stays on the host/,
    ],
    ["without a required key", {}, {}, "error", /OPENAI_API_KEY is not set/],
    ["without a key", { model_url: "http://127.0.0.1:1/v1" }, {}, "ok", /is called without a key/],
    [
      "in clear text",
      { model_url: "http://10.0.0.5/v1" },
      { OPENAI_API_KEY: KEY },
      "warn",
      /is sent to 10\.0\.0\.5 in clear text/,
    ],
    [
      "with a command that fails",
      { api_key_cmd: ["false"] },
      {},
      "error",
      /api_key_cmd, false\) failed: it ended with 1/,
    ],
    [
      "with settings that contradict",
      { auth: "login", model_url: "https://x.example" },
      {},
      "error",
      /must not get your login/,
    ],
    ["without a login", { auth: "login" }, {}, "error", /There is no ChatGPT login/],
  ])("%s is reported", async (_name, settings, env, level, message) => {
    const line = await modelLine(settings, env);
    expect(line?.level).toBe(level);
    expect(line?.message).toMatch(message);
    if (level !== "ok") expect(line?.advice.length).toBeGreaterThan(0);
  });

  it("with a login reports that the real service was never tried", async () => {
    await using service = await ChatGptService.start();
    const line = await modelLine({ auth: "login" }, {}, service.authFile());
    expect(line).toMatchObject({ level: "ok", message: expect.stringContaining("never tried") });
  });
});

describe("the health of the engine", () => {
  itUnlessRoot("names the command that gives the user access to a closed socket", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const path = join(dir, "docker.sock");
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    await chmod(path, 0o000);
    const settings = { state_dir: join(dir, "state"), sandbox: { engine: `unix://${path}` } };
    const lines = await checkHealth(settings, {}, dir);
    const line = lines.find(({ message }) => message.startsWith("This user may not open"));
    expect(line?.level).toBe("error");
    expect(line?.advice[0]).toMatch(/^sudo (usermod -aG|setfacl -m u:\d+:rw) /);
  });
});
