import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { appServerArgs, type McpServerConfig } from "../../src/codex/arguments.ts";
import { McpServers, usableServers } from "../../src/session/settings/mcp-servers.ts";
import { CodexHome, program } from "./support.ts";

/** Makes the binary read our arguments strictly, without starting anything. */
async function startupOf(mcpServers: Readonly<Record<string, McpServerConfig>>) {
  await using home = await CodexHome.make();
  const options = { modelBaseUrl: "http://127.0.0.1:1/v1", streamIdleMs: 1000, mcpServers };
  const args = [...appServerArgs(options), "--strict-config", "--print-startup-config"];
  return await execa(program, args, {
    env: { HOME: home.path, CODEX_HOME: home.path },
    cwd: home.project,
    reject: false,
    stdin: "ignore",
  });
}

describe("the configuration of MCP servers", () => {
  it("has no key that the pinned Codex does not know", async () => {
    const { servers, notes } = usableServers(
      McpServers.parse({
        full: {
          command: "node",
          args: ["a.mjs", 'with "quotes"'],
          env: { "A-B": 'x"\u007f' },
          env_vars: ["HOME"],
          cwd: "/",
          enabled: true,
          required: false,
          startup_timeout_sec: 1.5,
          startup_timeout_ms: 5,
          tool_timeout_sec: 2,
          enabled_tools: ["a"],
          disabled_tools: [],
          supports_parallel_tool_calls: true,
          default_tools_approval_mode: "prompt",
          tools: { "a tool": { approval_mode: "approve" } },
        },
        bare: { command: "true" },
      }),
      { HOME: "/" },
    );
    expect(notes).toEqual([]);
    const { startup_timeout_ms: _, ...full } = servers["full"] ?? {};
    for (const read of [full, { ...full, startup_timeout_sec: undefined, startup_timeout_ms: 5 }])
      expect(await startupOf({ full: read, bare: { command: "true" } })).toMatchObject({
        exitCode: 0,
      });
  });

  it("is refused by Codex where a key is wrong", async () => {
    const { exitCode, stdout, stderr } = await startupOf({ a: { command: "true", comand: "x" } });
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toContain("mcp_servers.a.comand");
  });
});
