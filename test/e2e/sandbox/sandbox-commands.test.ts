import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import { ownOwner } from "../../../src/process/process-identity.ts";
import { LABELS } from "../../../src/sandbox/container/labels.ts";
import { neovims } from "../../support/neovim.ts";
import { type Conversation, SLOW, share, WAIT } from "../support.ts";

/** The text of the current buffer. */
async function here(chat: Conversation): Promise<string> {
  return (await chat.nvim.lines(0)).join("\n");
}

/** Waits until the current buffer, a page or a terminal, has this. */
async function shown(chat: Conversation, part: string | RegExp): Promise<string> {
  const matching =
    typeof part === "string" ? expect.stringContaining(part) : expect.stringMatching(part);
  await expect.poll(() => here(chat), WAIT).toEqual(matching);
  return here(chat);
}

describe.each(neovims)(":CodexChat sandbox on Neovim $name", SLOW, (program) => {
  const shared = share({ program });
  beforeEach(() => shared().chat.startAnew());
  afterEach(() => shared().chat.nvim.lua("vim.cmd.stopinsert() vim.cmd('silent! only!')"));

  it("shows the state of the container, running or not", async () => {
    const { chat, place, model } = shared();
    await chat.command("sandbox status");
    expect(await shown(chat, "# Sandbox")).toContain("not running; the next message starts it");
    await chat.nvim.command("close");
    model.answerInTurn(reply(message("Hello.")));
    await chat.ask("Hello?");
    await chat.command("sandbox");
    const page = await shown(chat, "## Processes");
    expect(page).toMatch(/State\*\* running for \d+s$/m);
    expect(page).toContain((await place.containers())[0]?.Id.slice(0, 12));
    expect(page).toMatch(/Runtime\*\* runsc, release \d{8}, --network=none --directfs=false/);
    expect(page).toMatch(/Limits\*\* \d+ MiB memory, [\d.]+ CPUs, 4096 processes/);
    expect(page).toContain(`- \`${place.project}\` writable`);
    expect(page).toContain(`- \`${place.project}/.git\``);
    expect(page).toMatch(/- `\/tmp` in memory, \d+ MiB/);
    expect(page).toMatch(/ codex /);
  });

  it("opens a shell in the same container, without this machine's environment", async () => {
    const { chat, place, model } = shared();
    model.answerInTurn(reply(message("Hello.")));
    await chat.ask("Hello?");
    await place.inside("echo very > /tmp/one");
    await chat.nvim.lua(`vim.env.MY_SECRET = "s3cret"`);
    await chat.command("sandbox shell");
    await shown(chat, /sandbox:.*[#$]/);
    const type = (line: string) => chat.nvim.request("nvim_input", `${line}<CR>`);
    await type("cat /tmp/one; uname -r; stty size; pwd");
    const text = await shown(chat, /4\.\d+\.\d+\n\d+ \d+\n/);
    expect(text).toContain("very");
    expect(text).toContain(place.project);
    await type("clear; env | sort; echo end");
    const env = await shown(chat, /PWD=[\s\S]*\nend/);
    expect(env).not.toMatch(/s3cret|SECRET|OPENAI|NVIM|XDG|SSH|DOCKER/);
    // The terminal's size follows the window's.
    await chat.nvim.command("resize 7");
    // It goes there by the engine, while what is typed goes by the shell's own stream.
    await expect
      .poll(
        async () => {
          await type("clear; stty size");
          return here(chat);
        },
        { ...WAIT, interval: 500 },
      )
      .toMatch(/^7 \d+$/m);
    await chat.nvim.lua(`vim.api.nvim_create_autocmd("TermClose", { once = true, callback = function()
      _G.status = vim.v.event.status
    end })`);
    await type("exit 3");
    await expect.poll(() => chat.nvim.lua("return _G.status"), WAIT).toBe(3);
  });

  it("ends the programs in a shell whose window is closed", async () => {
    const { chat, place } = shared();
    await chat.command("sandbox shell sleep 4711");
    await expect
      .poll(async () => (await place.inside("pgrep -f 'sleep 471[1]'")).stdout, WAIT)
      .not.toBe("");
    await chat.nvim.lua("vim.cmd.stopinsert() vim.cmd('bwipeout!')");
    await expect
      .poll(async () => (await place.inside("pgrep -f 'sleep 471[1]'")).stdout, WAIT)
      .toBe("");
  });

  it("keeps a program in the shell from writing to Neovim's clipboard", async () => {
    const { chat } = shared();
    await chat.nvim.lua(`
      _G.clipboard = {}
      vim.g.clipboard = {
        name = "test",
        copy = { ["+"] = function(lines) _G.clipboard = lines end, ["*"] = function(lines) _G.clipboard = lines end },
        paste = { ["+"] = function() return { {}, "v" } end, ["*"] = function() return { {}, "v" } end },
      }
      _G.requests = {}
      pcall(vim.api.nvim_create_autocmd, "TermRequest", {
        callback = function(event) table.insert(_G.requests, vim.inspect(event.data)) end,
      })`);
    const attack = String.raw`printf "\033]52;c;aGFja2Vk\007\033\r]52;c;aGFja2Vk\033\\\\\033P+q544e\033\\\\"; echo done; sleep 600`;
    await chat.command(`sandbox shell ${attack}`);
    await shown(chat, "done");
    expect(await chat.nvim.lua("return { _G.clipboard, _G.requests }")).toEqual([[], []]);
    await chat.nvim.lua("vim.cmd.stopinsert() vim.cmd('bwipeout!')");

    // The same without a filter reaches Neovim.
    await chat.nvim.lua("vim.cmd.new() vim.cmd.terminal(...)", attack);
    await shown(chat, "done");
    await expect
      .poll(() => chat.nvim.lua("return #_G.requests + #_G.clipboard"), WAIT)
      .toBeGreaterThan(0);
    await chat.nvim.lua("vim.cmd('bwipeout!')");
  });

  it("restarts the container, and asks first if a turn is running", async () => {
    const { chat, place, model } = shared();
    await chat.nvim.lua(`
      _G.asked = {}
      vim.ui.select = function(items, opts, done) table.insert(_G.asked, opts.prompt) done(_G.choice) end`);
    model.answerInTurn(reply(message("Half."), silence()));
    await chat.send("Hello?");
    await chat.until("Half.");
    const [before] = await place.containers();
    await chat.nvim.lua(`_G.choice = "Leave it running"`);
    await chat.command("sandbox restart");
    expect(await chat.nvim.lua("return _G.asked")).toEqual([
      "A turn is running; `sandbox restart` ends it.",
    ]);
    expect((await place.containers())[0]?.Id).toBe(before?.Id);
    await chat.nvim.lua(`_G.choice = "End it"`);
    await chat.command("sandbox restart");
    expect(await chat.waitForTurnEnd()).toMatchObject({ status: "failed" });
    expect(await chat.text()).toContain("The sandbox was restarted.");
    await expect
      .poll(async () => (await chat.notifications()).at(-1), WAIT)
      .toBe("codex-chat: the sandbox runs (gVisor).");
    const [after] = await place.containers();
    expect(after?.Id).not.toBe(before?.Id);
    model.answerInTurn(reply(message("Here again.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect((await place.containers())[0]?.Id).toBe(after?.Id);
  });

  it("shows the log lines about the sandbox, and names the other commands", async () => {
    const { chat } = shared();
    await chat.command("sandbox log");
    expect(await shown(chat, "# The sandbox in the host's log")).toMatch(
      /info +sandbox is up container=codex-chat-project-[0-9a-f]{12} joined=false/,
    );
    await chat.nvim.command("close");
    await chat.command("sandbox dance");
    expect((await chat.notifications()).at(-1)).toBe(
      "codex-chat: there is no `:CodexChat sandbox dance`; use one of status, check, shell, restart, rebuild, allow, unprotect, clear, prune, stop, log.",
    );
    expect(
      await chat.nvim.lua(`return vim.fn.getcompletion("CodexChat sandbox re", "cmdline")`),
    ).toEqual(["restart", "rebuild"]);
  });

  // Once is enough: it takes seconds, and what it shows is the host's.
  if (program.name !== "0.12") return;
  it("names what pruning would remove, with its size, and removes nothing if the user declines", async () => {
    const { chat, place } = shared();
    await chat.nvim.lua(`
      _G.asked = {}
      vim.ui.select = function(items, opts, done) table.insert(_G.asked, opts.prompt) done("Keep it") end`);
    const { scope } = await ownOwner();
    const Name = `codex-chat-${"0".repeat(12)}-gone`;
    const Labels = {
      [LABELS.plugin]: "1",
      [LABELS.cache]: "gone_modules",
      [LABELS.uid]: String(process.geteuid?.()),
      [LABELS.scope]: scope,
      [LABELS.state]: `${place.state}/projects/gone`,
    };
    await place.docker.createVolume({ Name, Labels });
    await chat.command("sandbox prune");
    await expect
      .poll(() => chat.nvim.lua<string[]>("return _G.asked"), WAIT)
      .toEqual([
        expect.stringMatching(
          /caches of projects that are gone: .*gone_modules \(0 MiB\).*stays\.$/,
        ),
      ]);
    await place.docker.getVolume(Name).inspect();
  });

  it("tests the sandbox again and shows each attempt", async () => {
    const { chat } = shared();
    await chat.command("sandbox check");
    const page = await shown(chat, "# Self-test of the sandbox");
    expect(page).toContain("**Held**: nothing got out of the container.");
    expect(page).toMatch(
      /^\| held \| remount +\| remounts writable, in a user namespace +\| refused/m,
    );
    expect(page).toMatch(/^\| held \| memory +\| takes more memory than it may +\| it was ended/m);
    expect(page.match(/^\| held /gm)).toHaveLength(39);
  });
});
