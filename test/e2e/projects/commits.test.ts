import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Gate, SLOW, share, until, WAIT } from "../support.ts";

describe("a turn in which Codex commits", SLOW, () => {
  const shared = share({ env: { GIT_CONFIG_SYSTEM: "/dev/null" } });
  beforeEach(() => shared().chat.startAnew());

  async function git(...args: readonly string[]): Promise<string> {
    const { stdout } = await execa("git", args, { cwd: shared().place.project });
    return stdout;
  }

  it("ends with the commits in a ref of the real repository, and a line about it", async () => {
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

  it("cannot change the pointer of a submodule that was added between turns", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(message("Hello.")));
    await chat.ask("Hello?");
    const library = join(place.base, "library");
    const identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
    await execa("git", ["init", "-q", library]);
    await execa("git", [...identity, "commit", "-q", "--allow-empty", "-m", "of the library"], {
      cwd: library,
    });
    await git("-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib");
    await git(...identity, "commit", "-qm", "with a library");
    const pointer = await readFile(join(place.project, "lib/.git"), "utf8");
    model.answerInTurn(
      reply(
        exec(
          "cd lib; echo evil > .git; git log --format=%s; git -c user.name=t -c user.email=t@t commit -q --allow-empty -m inside; cd ..; mv lib lib2; true",
        ),
      ),
      reply(message("Looked.")),
    );
    expect(await chat.ask("Look at the library.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs().at(-1)).toContain("of the library");
    await chat.until(
      "> **Note:** Your git now trusts “lib/.git”, which it did not when the sandbox was started. So the sandbox is restarted with these read-only, and what ran in it has ended.",
    );
    await chat.until("in the submodule lib, the last one “inside”");
    expect(await readFile(join(place.project, "lib/.git"), "utf8")).toBe(pointer);
    expect(await git("status", "--short")).toBe("");
  });
  it("can be followed by another after the user's git trusts more paths", async () => {
    const { chat, model, place } = shared();
    const gate = new Gate();
    model.answer(() => reply(message("Half of it."), until(gate), message("The rest.")));
    await chat.send("The question.");
    await chat.until("Half of it.");
    await mkdir(join(place.project, "my-hooks"));
    await git("config", "core.hooksPath", "my-hooks");
    await chat.command("terminals");
    await expect
      .poll(async () => (await chat.notifications()).join(), WAIT)
      .toContain("no command runs in the background");
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("The rest.");
  });
});
