/** Settings that come from several places, and mistakes in one of them. */
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, neovims, repository, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

const resolved = (nvim: Neovim) =>
  nvim.lua<Record<string, unknown>>("return require('codex-chat.config').get()");

const setup = (nvim: Neovim, opts: unknown) => nvim.lua("require('codex-chat').setup(...)", opts);

/** What is set where, in this order, and what is in force then. */
const LAYERS: readonly (readonly [name: string, lua: string, expected: object])[] = [
  [
    "setup() after vim.g",
    `vim.g.codex_chat = { model_url = "http://a/v1", approvals = "untrusted", sandbox = { engine = "unix:///e" } }
     setup({ window = { size = 0.3 }, sandbox = { pids = 2048 } })`,
    {
      model_url: "http://a/v1",
      approvals: "untrusted",
      sandbox: { engine: "unix:///e", pids: 2048 },
      window: { size: 0.3, position: "right", min_width: 50, startinsert: true },
    },
  ],
  [
    "vim.g after setup(), which stays on top",
    `setup({ model = "of setup", sandbox = { pids = 2048 } })
     vim.g.codex_chat = { model = "of g", model_url = "http://a/v1", sandbox = { pids = 4096, cpus = 2 } }`,
    { model: "of setup", model_url: "http://a/v1", sandbox: { pids: 2048, cpus: 2 } },
  ],
  [
    "setup() twice, the later one on top",
    `setup({ model = "first", model_url = "http://a/v1" })
     setup()
     setup({ model = "second" })`,
    { model: "second", model_url: "http://a/v1" },
  ],
  [
    "lists, which are replaced, also by an empty one",
    `vim.g.codex_chat = { root_markers = { "a", "b" }, network = { allow = { "npm" }, no_proxy = { "x" } } }
     setup({ root_markers = { "c" }, network = { allow = {} } })`,
    { root_markers: ["c"], network: { allow: [], ask: true, no_proxy: ["x"] } },
  ],
  [
    "an empty table by name, which changes nothing",
    `vim.g.codex_chat = { network = { ask = false }, mcp_servers = { a = { command = "x" } } }
     setup({ network = {}, mcp_servers = {} })`,
    {
      network: { allow: [], ask: false, no_proxy: [] },
      mcp_servers: { a: { command: "x" } },
    },
  ],
  [
    "false over true, and a table over a plain value",
    `vim.g.codex_chat = { network = { ask = true }, sandbox = { caches = true } }
     setup({ network = { ask = false }, sandbox = { caches = { tools = false } }, keys = { send = false } })`,
    { network: { allow: [], ask: false, no_proxy: [] }, sandbox: { caches: { tools: false } } },
  ],
  [
    "vim.NIL, which takes away what was set below",
    `vim.g.codex_chat = { model = "m", effort = "low", notify = { done = false } }
     setup({ model = vim.NIL, notify = { done = vim.NIL } })`,
    { model: undefined, effort: "low", notify: { done: true, waiting: true } },
  ],
  [
    "a dictionary of Vim script",
    `vim.cmd([[let g:codex_chat = #{ model: "m", network: #{ ask: v:false, allow: ["npm"] }, window: #{ size: 0.3 }, effort: v:null }]])
     setup({ window = { startinsert = false } })`,
    {
      model: "m",
      effort: undefined,
      network: { allow: ["npm"], ask: false, no_proxy: [] },
      window: { size: 0.3, position: "right", min_width: 50, startinsert: false },
    },
  ],
];

/** Mistakes under which what is sent could go elsewhere, or what is run to something weaker. */
const GRAVE: readonly (readonly [name: string, lua: string, said: string])[] = [
  ["of setup()", `setup({ model_url = 5 })`, "`model_url` must be a string, not 5"],
  [
    "of vim.g",
    `vim.g.codex_chat = vim.tbl_extend("force", vim.g.codex_chat, { model_url = true })`,
    "`model_url` must be a string, not true",
  ],
  ["in a table", `setup({ sandbox = { engine = {} } })`, "`sandbox.engine` must be a string"],
  ["in the place of a table", `setup({ sandbox = "x" })`, '`sandbox` must be a table, not "x"'],
  [
    "in the name of a key",
    `setup({ model_ulr = "http://a/v1" })`,
    "unknown key `model_ulr`; did you mean `model_url`?",
  ],
  ["in an unlike name", `setup({ endpoint = "x" })`, "unknown key `endpoint`"],
  [
    "in an inner name",
    `setup({ sandbox = { runtme = "runsc" } })`,
    "unknown key `sandbox.runtme`; did you mean `sandbox.runtime`?",
  ],
  ["in a choice", `setup({ approvals = "always" })`, '`approvals` must be one of "never"'],
  [
    "in a number of Vim script for a truth value",
    `vim.g.codex_chat = vim.tbl_extend("force", vim.g.codex_chat, { network = { ask = 0 } })`,
    "`network.ask` must be `false` (`v:false`), not 0",
  ],
  ["in what setup() is given", `setup("x")`, 'the argument of `setup()` must be a table, not "x"'],
  ["in a list of settings", `setup({ "x" })`, "the argument of `setup()` must be a table"],
  [
    "in a function of Vim script",
    `vim.cmd([[let g:codex_chat = extend(g:codex_chat, #{ prompts: #{ mine: {-> "x"} } })]])`,
    "`prompts.mine` is a function of Vim script",
  ],
];

const WITH_SETUP = "local setup = require('codex-chat').setup\n";

describe.each(neovims)("settings from several places on Neovim $name", (program) => {
  it.each(LAYERS)("are merged: %s", async (_name, lua, expected) => {
    await using nvim = await startNeovim({ program });
    await nvim.lua(WITH_SETUP + lua);
    const found = await resolved(nvim);
    // What is not set is not there at all.
    expect({ model: undefined, effort: undefined, ...found }).toMatchObject(expected);
    expect(await nvim.messages()).toBe("");
  });

  it("count whether set before or after the plugin loads, as lazy.nvim does", async () => {
    await using nvim = await startNeovim({ program, bare: true });
    // `init`, then the directory, then the plugin's own files at the first use, then `opts`.
    await nvim.lua(`vim.g.codex_chat = { model_url = "http://a/v1" }`);
    await nvim.lua("vim.opt.runtimepath:append(...)", repository);
    await setup(nvim, { model: "before" });
    await nvim.command("runtime plugin/codex-chat.lua");
    await setup(nvim, { effort: "low" });
    const expected = { model_url: "http://a/v1", model: "before", effort: "low" };
    expect(await resolved(nvim)).toMatchObject(expected);
  });

  it("hold back a query that a mistake could misdirect, until it is corrected", async () => {
    await using host = await TestHost.start();
    await using nvim = await startNeovim({ program, config: { host_cmd: host.command } });
    await nvim.command("CodexChat");
    await nvim.keys("Hello?<Esc>");
    await nvim.until("vim.fn.mode()", "n");
    const set = await nvim.lua("return vim.g.codex_chat");
    for (const [name, lua, said] of GRAVE) {
      // A Neovim that was started with the mistake.
      await nvim.lua(`package.loaded["codex-chat.config"] = nil\nvim.g.codex_chat = ...`, set);
      await nvim.lua(`${WITH_SETUP}${lua}`);
      await nvim.command("messages clear");
      await nvim.keys("<CR>");
      await expect.poll(() => nvim.messages(), { message: name }).toContain("nothing was sent");
      expect(await nvim.messages(), name).toContain(said);
      await expect(nvim.command("CodexChat compact"), name).rejects.toThrow(said);
    }
    expect(host.told.map((notification) => notification.name)).toEqual([
      "chat/open",
      "sandbox/prepare",
    ]);
    const { path } = await host.heard("chat/open");
    expect((await nvim.lines()).slice(-2)).toEqual(["## You", "Hello?"]);
    await nvim.command("write");
    const { home, cwd } = nvim;
    await using next = await startNeovim({
      program,
      home,
      cwd,
      config: { host_cmd: host.command },
    });
    await next.command("CodexChat");
    expect((await host.heard("chat/open", 2)).path).toBe(path);
    await next.keys("<Esc><CR>");
    expect((await host.heard("turn/send")).text).toBe("Hello?");
  });

  it("do not hold back a query if only the appearance is wrong", async () => {
    await using chat = await openChat({
      program,
      config: { window: { siez: 1 }, keys: { stop: 3 } },
    });
    expect(await chat.nvim.messages()).toMatch(
      /`keys.stop` must be[\s\S]*did you mean `window.size`/,
    );
    await chat.send("Hello?");
  });

  it("are reported once, before the next query, after they have changed", async () => {
    await using chat = await openChat({ program, config: { model_url: "http://a/v1" } });
    const { nvim, host } = chat;
    await chat.send("first");
    await setup(nvim, { model_url: "http://b/v1" });
    await chat.send("second");
    await chat.send("third");
    expect(host.told.map((notification) => notification.name)).toEqual([
      "chat/open",
      "turn/send",
      "chat/configure",
      "turn/send",
      "turn/send",
    ]);
    expect(host.of("chat/configure")[0]?.settings["model_url"]).toBe("http://b/v1");
  });
});
