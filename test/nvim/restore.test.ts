import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../support/chat.ts";
import { neovims, startNeovim } from "../support/neovim.ts";

/** A conversation of `rounds` queries, each answered with prose, a command's output and code. */
function conversation(rounds: number): string {
  const parts = ["---", "codex-chat: 1", "---", ""];
  for (let n = 0; n < rounds; n += 1) {
    parts.push("## You", "", `Query ${n}`, "", "## Codex", "", `Answer ${n} with **words**.`, "");
    parts.push(
      "**Ran** `ls` · exit 0",
      "```console output",
      ...Array<string>(20).fill("## You"),
      "```",
      "",
    );
    parts.push("```lua", ...Array<string>(12).fill("print(1)"), "```", "");
  }
  return [...parts, "## You", ""].join("\n");
}

describe.each(neovims)("a conversation of 50,000 lines on Neovim $name", (program) => {
  it("opens at its prompt, goes on there, and is sent from", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.keys("<Esc>");
    await mkdir(dirname(chat.path), { recursive: true });
    const text = conversation(1100);
    expect(text.split("\n").length).toBeGreaterThan(50_000);
    await writeFile(chat.path, `${text}\n`);
    await using again = await startNeovim({
      program,
      home: nvim.home,
      cwd: nvim.cwd,
      config: { host_cmd: host.command },
      screen: { columns: 120, rows: 30 },
    });
    await again.command("CodexChat");
    await host.heard("chat/open", 2);
    await again.untilShown("Ask Codex");
    expect(await again.lines()).toEqual(text.split("\n"));
    const [row] = await again.cursor();
    expect(row).toBe(text.split("\n").length);
    await again.keys("and now?<C-s>");
    const { buf, id } = await host.heard("turn/send");
    await host.editor.call.buf_set_edits(buf, [
      { op: "insert", id: "a", after: id, lines: ["## Codex", "", "goes on"], gap: 1 },
    ]);
    expect((await again.lines()).slice(-10)).toEqual([
      "## You",
      "",
      "and now?",
      "",
      "## Codex",
      "",
      "goes on",
      "",
      "## You",
      "",
    ]);
  });
});
