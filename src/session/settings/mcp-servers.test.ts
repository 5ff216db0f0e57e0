import { describe, expect, it } from "vitest";
import { McpServers, usableServers } from "./mcp-servers.ts";

const read = (servers: object, env: Record<string, string> = {}) =>
  usableServers(McpServers.parse(servers), env);

describe("an MCP server of the configuration", () => {
  it("runs as configured, with Codex's names for its fields", () => {
    const docs = {
      command: "node",
      args: ["docs.mjs"],
      env: { LEVEL: "1" },
      cwd: "/srv",
      startup_timeout_sec: 20,
      tool_timeout_sec: 1.5,
      enabled: true,
      required: true,
      enabled_tools: ["a"],
      disabled_tools: [],
      default_tools_approval_mode: "prompt",
      tools: { a: { approval_mode: "approve" } },
    };
    expect(read({ docs })).toEqual({ servers: { docs }, refused: {}, notes: [] });
  });

  it("accepts empty Lua tables, which arrive as lists", () => {
    expect(read([])).toEqual({ servers: {}, refused: {}, notes: [] });
    expect(read({ a: { command: "x", env: [], tools: { t: [] } } }).servers).toEqual({
      a: { command: "x", env: {}, tools: { t: {} } },
    });
  });

  it.each<[string, object, string]>([
    ["a", { args: ["x"] }, "command: "],
    ["a", { command: "x", args: "y" }, "args: "],
    ["a", { command: "x", comand: "y" }, "Unrecognized key"],
    ["a", { command: "x", tools: { t: { approval_mode: "never" } } }, "tools"],
    ["a", { command: "" }, "command: "],
    ["a b", { command: "x" }, "a name may have only letters"],
    ["a.b", { command: "x" }, "a name may have only letters"],
    ["", { command: "x" }, "a name may have only letters"],
    ["a", { url: "file:///etc/passwd" }, "url: "],
  ])("is left out if its settings are wrong: %s %j", (name, server, reason) => {
    const other = { command: "true" };
    const { servers, refused, notes } = read({ [name]: server, other });
    expect(servers).toEqual({ other });
    expect(refused[name]).toContain(reason);
    expect(notes).toEqual([expect.stringContaining(reason)]);
  });

  it("is reported if it needs the network and a secret", () => {
    const far = { url: "https://mcp.example.org/x", bearer_token_env_var: "TOKEN" };
    expect(read({ far }).notes).toEqual([
      'The MCP server "far" is left out: it is reached at mcp.example.org over the network; network.allow = { "mcp.example.org" } allows that. It also needs the secret in TOKEN, which is kept out of the sandbox.',
    ]);
  });

  it("is used if the settings allow its host, with a note about missing variables", () => {
    const far = { url: "https://mcp.example.org/x", bearer_token_env_var: "TOKEN" };
    const { servers, notes } = usableServers({ far }, {}, ["mcp.example.org"]);
    expect(servers).toEqual({ far });
    expect(notes).toEqual([expect.stringContaining("reads TOKEN")]);
    expect(usableServers({ far }, { TOKEN: "x" }, ["mcp.example.org"]).notes).toEqual([]);
    expect(usableServers({ far }, {}, ["example.org"]).servers).toEqual({});
  });

  it("is reported with the variables that it lacks", () => {
    const docs = { command: "x", env: { B: "2" }, env_vars: ["A", "B", "C"] };
    expect(read({ docs }, { C: "3" }).notes).toEqual([
      'The MCP server "docs" reads A from the environment, which the sandbox does not have. Set it in the server\'s env if everything in the sandbox may read it.',
    ]);
    expect(read({ docs }, { A: "1", C: "3" })).toMatchObject({ notes: [], servers: { docs } });
  });

  it("is not mentioned while it is switched off", () => {
    expect(read({ far: { url: "https://e.org", enabled: false } })).toMatchObject({
      servers: {},
      notes: [],
    });
    const off = { command: "x", enabled: false, env_vars: ["A"] };
    expect(read({ off })).toEqual({ servers: { off }, refused: {}, notes: [] });
  });
});
