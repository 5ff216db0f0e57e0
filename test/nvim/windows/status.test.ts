import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const NOWHERE = { config: [], project: [], conversation: [], ask: true };
const LISTS = { servers: [], network: NOWHERE };

const full = {
  phase: "running",
  model: "gpt-5.5",
  sandbox: "gVisor",
  tokens: { last: 12_300, window: 256_000 },
  queued: 2,
} as const;

describe.each(neovims)("the status on Neovim $name", (program) => {
  it("shows model, state, sandbox and tokens in the winbar", async () => {
    await using chat = await openChat({ program, screen: { columns: 200, rows: 20 } });
    await chat.setState(full);
    await chat.nvim.untilShown(/ gpt-5\.5 · gVisor · 12\.3k tokens, 5% +2 queued · working \d+s/);
    // What is not said again stays.
    await chat.setState({ phase: "idle" });
    await chat.nvim.untilShown(/ gpt-5\.5 · gVisor · 12\.3k tokens, 5% +done in \d+s/);
  });

  it("shows the most important parts in a narrow window", async () => {
    await using chat = await openChat({
      program,
      screen: { columns: 80, rows: 20 },
      config: { window: { min_width: 1 } },
    });
    await chat.setState({ ...full, detail: "starting the sandbox for the very first time" });
    await chat.nvim.untilShown(/ gpt-5\.5 · gVisor .* working \d+s/);
    expect(chat.nvim.screen?.text()).not.toContain("tokens");
  });

  it("fits the winbar to any width, most important parts first", async () => {
    await using chat = await openChat({ program });
    await chat.setState({
      ...full,
      phase: "failed",
      mode: "high plan",
      detail: "the endpoint refused the key, 漢字 and all",
      note: "not saved",
    });
    const bars = await chat.nvim.lua<string[]>(
      `local chat = require("codex-chat.registry").get(...)
       local bars = {}
       for width = 1, 200 do
         local text = require("codex-chat.ui.winbar_text").text(chat, width)
         bars[width] = vim.api.nvim_eval_statusline(text, { maxwidth = width }).str
       end
       return bars`,
      chat.buf,
    );
    for (const bar of bars.slice(7)) expect(bar).toContain(" failed");
    for (const bar of bars.slice(20)) expect(bar).not.toContain(">");
    expect([20, 40, 60, 80, 120, 200].map((width) => bars[width - 1]?.trimEnd())).toEqual([
      " not saved · failed",
      " gpt-5.5 · gVisor    not saved · failed",
      " gpt-5.5 · high plan · gVisor            not saved · failed",
      " gpt-5.5 · high plan · gVisor   the endpoint r… · 2 queued · not saved · failed",
      ` gpt-5.5 · high plan · gVisor${" ".repeat(16)}the endpoint refused the key, 漢字 and all · 2 queued · not saved · failed`,
      ` gpt-5.5 · high plan · gVisor · 12.3k tokens, 5%${" ".repeat(77)}the endpoint refused the key, 漢字 and all · 2 queued · not saved · failed`,
    ]);
    await chat.setState({ ...full, detail: "building the image, step 3 of 9" });
    expect(
      await chat.nvim.lua(
        "return require('codex-chat.ui.winbar_text').text(require('codex-chat.registry').get(...), 70)",
        chat.buf,
      ),
    ).toMatch(/#building[^·%]*…%/);
  });

  it("shows progress in the longest form that leaves the name some room", async () => {
    await using chat = await openChat({ program });
    await chat.host.editor.call.buf_set_meta(chat.buf, { name: "Why the parser fails on Mondays" });
    await chat.setState({
      phase: "starting",
      detail: "Building the sandbox's image, once: step 4 of 18, about a minute",
      shorter: [
        "Building the image: step 4 of 18, about a minute",
        "Building the image: step 4 of 18",
        "step 4 of 18",
        "4/18",
      ],
    });
    const bars = await chat.nvim.lua<string[]>(
      `local buf, widths = ...
       local chat = require("codex-chat.registry").get(buf)
       return vim.tbl_map(function(width)
         chat.began = vim.uv.now()
         local text = require("codex-chat.ui.winbar_text").text(chat, width)
         return vim.api.nvim_eval_statusline(text, { maxwidth = width }).str
       end, widths)`,
      chat.buf,
      [30, 40, 60, 80, 100, 140],
    );
    expect(bars.map((bar) => bar.replace(/ {2,}/, "  ").trimEnd())).toEqual([
      "  4/18 · starting 0s",
      " Why the parser f…  4/18 · starting 0s",
      " Why the parser fails on Mond…  step 4 of 18 · starting 0s",
      " Why the pars…  Building the image: step 4 of 18, about a minute · starting 0s",
      " Why the parser f…  Building the sandbox's image, once: step 4 of 18, about a minute · starting 0s",
      " Why the parser fails on Mondays  Building the sandbox's image, once: step 4 of 18, about a minute · starting 0s",
    ]);
  });

  it("shows text with % and control characters literally", async () => {
    await using chat = await openChat({ program, screen: { columns: 200, rows: 20 } });
    await chat.setState({ phase: "idle", model: "100%{1+1}%#Error#\n" });
    await chat.nvim.untilShown("100%{1+1}%#Error# ");
  });

  it("counts the seconds while a turn runs, and no longer", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 20 } });
    await chat.setState(full);
    await chat.nvim.untilShown("working 1s");
    await chat.setState({ phase: "idle" });
    await chat.nvim.untilShown(/done in \d+s/);
  });

  it("has a page with limits and with servers that did not start", async () => {
    await using chat = await openChat({ program });
    let shown = 0;
    const show = async (answer: object, limits: readonly object[]): Promise<string[]> => {
      await chat.nvim.command("CodexChat status");
      const asked = (await chat.host.heard("action/run", ++shown)).id;
      const value = { ...answer, limits, ...LISTS, instructions: [], refused: [] };
      const taken = await chat.host.editor.call.action_answer(asked, { ok: true, value });
      expect(taken.ok ? "" : taken.error.message).toBe("");
      await chat.nvim.until("vim.bo.buftype", "nofile");
      const lines = await chat.nvim.lines(0);
      await chat.nvim.command("close");
      return lines.filter((line) => line.startsWith("- **Rate limits**"));
    };
    const base = { model: "m", effort: "", plan: false, endpoint: "e", approvals: "never" };
    expect(await show({ ...base, thread: "" }, [])).toEqual(["- **Rate limits** unknown"]);
    const hours = { usedPercent: 42.4, windowDurationMins: 300, resetsAt: 1_700_000_000 };
    const week = { usedPercent: 7, windowDurationMins: 10_080, resetsAt: null };
    const odd = { usedPercent: 100 };
    expect(await show({ ...base, thread: "" }, [hours, week, odd])).toEqual([
      expect.stringMatching(
        /42% used of 5 hours, renewed \w{3} \d\d:\d\d; 7% used of 7 days; 100% used of the period$/,
      ),
    ]);
  });

  it("hints in the empty prompt, and only there", async () => {
    await using chat = await openChat({ program, screen: { columns: 160, rows: 20 } });
    const { nvim } = chat;
    await nvim.untilShown("Ask Codex …   <C-s> send · @ file · / command · g? keys");
    await nvim.keys("<Esc>");
    await nvim.untilShown("Ask Codex …   <CR> send · @ file · / command · g? keys");
    await nvim.keys("ix");
    await expect.poll(() => nvim.screen?.text()).not.toContain("Ask Codex");
    await nvim.keys("<BS>");
    await nvim.untilShown("Ask Codex");
    await chat.setState({ phase: "running" });
    await nvim.untilShown("Steer Codex …");
    await chat.setState({ phase: "failed" });
    await nvim.untilShown("Retry or ask again …");
    await nvim.keys("<C-s>");
    await chat.host.heard("turn/retry");
  });

  it("hints at the key that leads to the question which waits", async () => {
    await using chat = await openChat({ program, screen: { columns: 200, rows: 20 } });
    const { nvim } = chat;
    const id = await chat.send("go on");
    await chat.edit({ op: "insert", id: "q1", after: id, lines: ["**Asks** to run `ls`"], gap: 1 });
    await chat.setState({ phase: "waiting" });
    await nvim.untilShown("Steer Codex …");
    const asks = { id: "q1", block: "q1", kind: "command", choices: ["accept"] } as const;
    await chat.host.editor.call.buf_set_approval(chat.buf, asks);
    await nvim.untilShown("Codex asks …   <Esc>]a answer · <C-s> send · @ file · / command");
    await nvim.keys("<Esc>");
    await nvim.untilShown("Codex asks …   ]a answer · <CR> send · @ file · / command · g? keys");
    await nvim.command("vertical resize 42");
    await nvim.untilShown(/Codex asks … {3}\]a answer · g\? keys/);
    await nvim.command("vertical resize 100");
    await chat.host.editor.call.buf_set_approval(chat.buf, { id: "q1", remove: true });
    await nvim.untilShown("Steer Codex …");
  });

  it("takes a sandbox that starts ahead of a query for no turn", async () => {
    await using chat = await openChat({ program, screen: { columns: 160, rows: 20 } });
    const { nvim } = chat;
    await chat.setState({ phase: "starting", detail: "Testing the sandbox" });
    await nvim.untilShown(/Testing the sandbox · starting [1-9]s/);
    expect(nvim.screen?.text()).toContain("Ask Codex …");
    await chat.setState({ phase: "idle", sandbox: "gVisor" });
    await nvim.untilShown(/gVisor +ready/);
    await chat.send("go on");
    await chat.setState({ phase: "starting", detail: "Testing the sandbox" });
    await nvim.untilShown("Steer Codex …");
    await chat.setState({ phase: "running" });
    await chat.setState({ phase: "idle" });
    await nvim.untilShown(/done in \ds/);
  });

  it("hints with the keys that are configured, and with fewer words in a narrow window", async () => {
    await using chat = await openChat({
      program,
      screen: { columns: 110, rows: 20 },
      config: { keys: { send_insert: "<M-s>", show_keys: ["<F1>", "g?"] } },
    });
    const { nvim } = chat;
    await nvim.untilShown("Ask Codex …   <M-s> send · @ file · <F1> keys");
    await nvim.command("vertical resize 40");
    await nvim.untilShown("Ask Codex …   <M-s> send · <F1> keys");
    await nvim.command("vertical resize 70");
    await nvim.untilShown("Ask Codex …   <M-s> send · @ file · / command · <F1> keys");
  });

  it("wraps the keys of an approval in a narrow window", async () => {
    await using chat = await openChat({
      program,
      screen: { columns: 80, rows: 20 },
      config: { window: { min_width: 1 } },
    });
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "q", after: user, lines: ["**Asks**"], gap: 1 });
    await chat.host.editor.call.buf_set_approval(chat.buf, {
      id: "q",
      block: "q",
      kind: "command",
    });
    await chat.nvim.untilShown(
      /▌ {2}a {2}once {4}s {2}always in this chat *\n.*▌ {2}d {2}no, because … *\n/,
    );
  });

  it("marks blocks at their first line, and control characters in marks do no harm", async () => {
    await using chat = await openChat({ program, screen: { columns: 160, rows: 20 } });
    const user = await chat.send("go on");
    await chat.edit(
      { op: "insert", id: "a", after: user, lines: ["## Codex"], gap: 1 },
      { op: "mark", id: "a", mark: "running", text: "thinking\u001b[31m" },
    );
    await chat.nvim.untilShown(/Codex {2}thinking \[31m/);
    await chat.edit({ op: "replace", id: "a", lines: ["## Codex", "more"] });
    await chat.nvim.untilShown(/Codex {2}thinking \[31m/);
    await chat.edit({ op: "mark", id: "a", mark: "none" });
    await expect.poll(() => chat.nvim.screen?.text()).not.toContain("thinking");
  });
});
