import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { SLOW, share, WAIT } from "../support.ts";

describe("a review of what a turn changed", SLOW, () => {
  const shared = share();
  beforeEach(() => shared().chat.startAnew());

  const at = (name: string) => join(shared().place.project, name);

  /** Waits until the review shows this file and every decision is made. */
  async function settled(name: string): Promise<void> {
    const { nvim } = shared().chat;
    const shown = `return (function()
      local review = require("codex-chat.review.state").current
      return review and #review.queue == 0 and review.shown == review.showing and review.showing.name
    end)()`;
    await expect.poll(() => nvim.lua(shown), WAIT).toBe(name);
  }

  it("proceeds in rounds: changes are accepted, put back or commented on, and the next round shows only the response", async () => {
    const { chat, model } = shared();
    const { nvim } = chat;
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
    await writeFile(at("a.txt"), `${lines.join("\n")}\n`);
    await writeFile(at("gone.txt"), "gone\n");
    model.answerInTurn(
      reply(exec("sed -i -e 3s/line/LINE/ -e 20s/line/LINE/ a.txt; echo new > b.txt; rm gone.txt")),
      reply(message("Done.")),
    );
    await chat.ask("Change it.");
    await expect.poll(() => nvim.lua("return require('codex-chat').status().unseen"), WAIT).toBe(3);

    await chat.command("diff");
    await settled("a.txt");
    await nvim.type("gy");
    await settled("a.txt");
    expect(await nvim.cursor()).toEqual([20, 0]);
    await nvim.type("gb");
    await settled("b.txt");
    expect(await readFile(at("a.txt"), "utf8")).toBe(`${lines.with(2, "LINE 3").join("\n")}\n`);
    await nvim.type("gY");
    await settled("gone.txt");
    await nvim.type("gB");
    await settled("gone.txt");
    expect(await readFile(at("gone.txt"), "utf8")).toBe("gone\n");
    await nvim.type("gzgz");
    await settled("b.txt");
    expect(await nvim.lua("return vim.uv.fs_stat(...) == nil", at("gone.txt"))).toBe(true);

    await nvim.keys("gC");
    await expect.poll(() => nvim.lua("return vim.bo.filetype"), WAIT).toBe("markdown");
    await nvim.keys("Say more.<C-s>");
    await expect.poll(() => nvim.lua("return vim.bo.filetype"), WAIT).not.toBe("markdown");
    model.answerInTurn(reply(exec("echo more >> b.txt")), reply(message("More.")));
    await nvim.keys("gS");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("`b.txt`, line 1:\n\n```text\nnew\n```\n\nSay more.");

    await chat.command("diff all");
    await settled("b.txt");
    expect(
      await nvim.lua(`return vim.tbl_map(function(file) return file.name end,
        require("codex-chat.review.state").current.files)`),
    ).toEqual(["b.txt"]);
    expect(
      await nvim.lua("return vim.api.nvim_buf_get_lines(vim.fn.winbufnr(2), 0, -1, false)"),
    ).toEqual(["new"]);
    await nvim.type("gy");
    await settled("b.txt");
    await nvim.type("q");
    await chat.command("diff all");
    await expect
      .poll(async () => (await chat.notifications()).join(), WAIT)
      .toContain("there is nothing to review");
    await expect.poll(() => nvim.lua("return require('codex-chat').status().unseen"), WAIT).toBe(0);
  });
});
