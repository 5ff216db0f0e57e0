import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply } from "../../src/offline/index.ts";
import { SLOW, share, WAIT } from "./support.ts";

describe("a turn in which Codex commits", SLOW, () => {
  const shared = share({ env: { GIT_CONFIG_SYSTEM: "/dev/null" } });
  beforeEach(() => shared().chat.startAnew());

  async function git(...args: readonly string[]): Promise<string> {
    const { stdout } = await execa("git", args, { cwd: shared().place.project });
    return stdout;
  }

  it("ends with the commits in a ref of the real repository, and a line that says so", async () => {
    const { chat, model } = shared();
    await git("config", "user.name", "Someone");
    await git("config", "user.email", "someone@example.org");
    await git("add", ".");
    await git("commit", "-qm", "first");
    model.answerInTurn(
      reply(exec("git switch -qc greeting; echo more >> hello.txt; git commit -qam 'say more'")),
      reply(exec("git status --short; git log --format=%s")),
      reply(message("Committed.")),
    );
    expect(await chat.ask("Commit it, please.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs().at(-1)).toContain("say more\nfirst");
    const [ref = ""] = (await git("for-each-ref", "--format=%(refname)", "refs/codex")).split("\n");
    expect(ref).toMatch(/^refs\/codex\/\d{4}-\d\d-\d\d-commit-it-please$/);
    await chat.until(
      `> **Note:** Codex made 1 commit on greeting, the last one “say more”. They are in \`${ref}\`: \`git reset ${ref}\` makes them yours and leaves your files as they are; \`:CodexChat commits\` shows them.`,
    );
    expect(await git("branch", "--format=%(refname:short)")).toBe("master");

    await chat.nvim.lua(
      `_G.offered = {}
       vim.ui.select = function(items, opts, choose)
         for _, item in ipairs(items) do table.insert(_G.offered, opts.format_item(item)) end
         choose(items[1])
       end`,
    );
    await chat.command("commits");
    await expect.poll(async () => (await chat.nvim.lines(0)).join("\n"), WAIT).toContain("+more");
    expect((await chat.nvim.lines(0)).join("\n")).toContain("Commit:     Someone <someone@");
    expect(await chat.nvim.lua("return _G.offered")).toEqual([
      expect.stringMatching(/^[0-9a-f]{8} say more$/),
    ]);
    await chat.nvim.command("close");
    await chat.command("commits copy");
    await expect.poll(() => chat.nvim.lua("return vim.fn.getreg('\"')"), WAIT).toBe(ref);

    await git("reset", "-q", ref);
    expect(await git("status", "--short")).toBe("");
  });
});
