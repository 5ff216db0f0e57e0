import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { auditLine } from "../../../src/audit/serialize.ts";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const time = "2026-03-14T09:26:53.589Z";
const entry = (fields: object) => auditLine({ time, pid: 7, ...fields });

const ENTRIES = [
  entry({ event: "self_test", passed: true, runtime: "runsc", kernel: "4.4.0", cached: true }),
  entry({ event: "sandbox", action: "started", container: "codex-chat-1", runtime: "runsc" }),
  entry({
    event: "command",
    command: "printf 'a\nb' \u001b]52;c;aGk=\u0007 \u202e",
    exitCode: 2,
    ms: 1234,
    outputBytes: 20,
  }),
  entry({ event: "patch", files: [{ path: "a.js", change: "add" }], status: "completed" }),
  entry({
    event: "approval",
    asked: "command",
    about: "make",
    decision: "accept",
    by: "user",
    ms: 2000,
  }),
  entry({ event: "network", decision: "refused", host: "evil.test", port: 443, omitted: 3 }),
  entry({ event: "model_request", outcome: "done", status: 200, bytesOut: 54321, bytesIn: 99 }),
  entry({ event: "protected_file", path: ".envrc", change: "created", runs: "direnv runs it" }),
  entry({ event: "left_out", of: "command", lines: 99 }),
  entry({ event: "something_new", any: "thing" }),
  entry({ event: "command", command: { not: "text" }, ms: "x", exitCode: [] }),
  '{"time":"half a li\n',
].join("");

describe.each(neovims)(":CodexChat log on Neovim $name", (program) => {
  it("shows a page with one line per entry, the newest last, where nothing has an effect", async () => {
    await using chat = await openChat({ program });
    const { nvim, path } = chat;
    await nvim.command("stopinsert");
    const file = join(dirname(dirname(path)), "audit.jsonl");
    await nvim.lua("_G.said = {}; vim.notify = function(text) table.insert(_G.said, text) end");
    await nvim.command("CodexChat log audit");
    expect(await nvim.lua<string[]>("return _G.said")).toEqual([
      expect.stringContaining("there is no record of this project yet"),
    ]);

    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, ENTRIES);
    await nvim.command("CodexChat log audit");
    expect((await nvim.lines()).join("\n")).toMatchInlineSnapshot(`
      "time (UTC)           event           what (\`:CodexChat! log audit\` opens the file)
      2026-03-14 09:26:53  self_test       passed · runsc · 4.4.0 · proven before
      2026-03-14 09:26:53  sandbox         started · codex-chat-1 · runsc
      2026-03-14 09:26:53  command         printf 'a ⏎ b' ^[]52;c;aGk=^G <202e> · exit 2 · 1.2 s · 20 bytes of output
      2026-03-14 09:26:53  patch           add a.js · completed
      2026-03-14 09:26:53  approval        accept · by user · command: make · 2.0 s
      2026-03-14 09:26:53  network         refused · to evil.test:443 · 3 more were not recorded
      2026-03-14 09:26:53  model_request   done · 200 · 54 kB out · 99 bytes in
      2026-03-14 09:26:53  protected_file  .envrc created · direnv runs it
      2026-03-14 09:26:53  left_out        99 of command, beyond the limit per minute
      {"time":"2026-03-14T09:26:53.589Z","pid":7,"event":"something_new","any":"thing"}
      2026-03-14 09:26:53  command         {"not":"text"}
      {"time":"half a li"
    `);
    expect(await nvim.cursor()).toEqual([13, expect.any(Number)]);
    expect(await nvim.lua("return { vim.bo.modifiable, vim.bo.buftype }")).toEqual([
      false,
      "nofile",
    ]);
    await nvim.type("q");
    expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
  });

  it("shows the file itself with !, and treats the agent's modeline as text", async () => {
    await using chat = await openChat({ program });
    const { nvim, path } = chat;
    await nvim.command("stopinsert | set modeline");
    const file = join(dirname(dirname(path)), "audit.jsonl");
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, entry({ event: "command", command: "# vim: set textwidth=33 :" }));
    await nvim.command("CodexChat! log audit");
    expect(await nvim.lua("return { vim.bo.filetype, vim.bo.textwidth, vim.go.modeline }")).toEqual(
      ["json", 0, true],
    );
    await nvim.command("bwipeout");
    await nvim.command(`split ${file}`);
    expect(await nvim.lua("return vim.bo.textwidth")).toBe(33);
  });

  it("names the known logs when asked for another one", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.lua("_G.said = {}; vim.notify = function(text) table.insert(_G.said, text) end");
    await nvim.command("stopinsert | CodexChat log nothing");
    expect(await nvim.lua<string[]>("return _G.said")).toEqual([
      "codex-chat: there is no `:CodexChat log nothing`; there is `:CodexChat log audit`.",
    ]);
  });
});
