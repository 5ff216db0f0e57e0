import { describe, expect, it } from "vitest";
import { type AppServerOptions, appServerArgs } from "./arguments.ts";

const options: AppServerOptions = { modelBaseUrl: "http://127.0.0.1:4711/v1", streamIdleMs: 1000 };
const args = (more: Partial<AppServerOptions> = {}) => appServerArgs({ ...options, ...more });

describe("the arguments of the app-server", () => {
  it("come before the subcommand, each override after a -c", () => {
    const all = args();
    expect(all.at(-1)).toBe("app-server");
    const overrides = all.slice(0, -1);
    expect(overrides.filter((_, n) => n % 2 === 0).every((arg) => arg === "-c")).toBe(true);
    for (const override of overrides.filter((_, n) => n % 2 === 1))
      expect(override).toMatch(/^[a-z_.-]+=./);
  });

  it("name the one endpoint, and neither a key nor a login", () => {
    const all = args();
    expect(all).toContain('model_provider="codex-chat"');
    expect(all).toContain('model_providers.codex-chat.base_url="http://127.0.0.1:4711/v1"');
    expect(all).toContain("model_providers.codex-chat.requires_openai_auth=false");
    expect(all.filter((arg) => /env_key|bearer|headers/.test(arg))).toEqual([]);
  });

  it("leave out settings that were not chosen", () => {
    const names = args().map((arg) => arg.split("=")[0]);
    expect(names).not.toContain("model");
    expect(names).not.toContain("model_reasoning_effort");
    expect(names).not.toContain("features.unified_exec_tty");
    expect(names).not.toContain("allow_login_shell");
    expect(args({ model: "gpt-5.5", effort: "low", terminals: false })).toEqual(
      expect.arrayContaining([
        'model="gpt-5.5"',
        'model_reasoning_effort="low"',
        "features.unified_exec_tty=false",
      ]),
    );
  });

  it("turn off the snapshot of a profile that no shell reads", () => {
    const expected = ["allow_login_shell=false", "features.shell_snapshot=false"];
    expect(args({ loginShells: false })).toEqual(expect.arrayContaining(expected));
    expect(args({ loginShells: true })).not.toEqual(expect.arrayContaining(expected));
  });

  it.each([
    ['say "hi"', String.raw`model="say \"hi\""`],
    ["back\\slash", String.raw`model="back\\slash"`],
    ["a\nb\tc", String.raw`model="a\nb\tc"`],
    ["\u0000\u001b\u007f", String.raw`model="\u0000\u001b\u007f"`],
    ['x" -c sandbox_mode="read-only', String.raw`model="x\" -c sandbox_mode=\"read-only"`],
    ["ä😀", 'model="ä😀"'],
    ["", 'model=""'],
  ])("write %j as one value of TOML", (model, argument) => {
    expect(args({ model })).toContain(argument);
  });

  it("contain the MCP servers, with TOML's lists and tables", () => {
    const mcpServers = {
      "my-db": {
        command: "npx",
        args: ["-y", 'a "b"', "\u007f"],
        env: { "A KEY": 'v"1', B: "" },
        enabled: true,
        tool_timeout_sec: 1.5,
        cwd: undefined,
      },
      bare: { command: "x", env: {} },
    };
    expect(args({ mcpServers }).filter((arg) => arg.startsWith("mcp_servers."))).toEqual([
      'mcp_servers.my-db.command="npx"',
      String.raw`mcp_servers.my-db.args=["-y","a \"b\"","\u007f"]`,
      String.raw`mcp_servers.my-db.env={ "A KEY" = "v\"1", "B" = "" }`,
      "mcp_servers.my-db.enabled=true",
      "mcp_servers.my-db.tool_timeout_sec=1.5",
      'mcp_servers.bare.command="x"',
      "mcp_servers.bare.env={  }",
    ]);
  });
});
