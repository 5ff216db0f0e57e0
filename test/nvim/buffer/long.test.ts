import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../../../src/chat/event.ts";
import { silentLog } from "../../../src/log.ts";
import { LiveDocument } from "../../../src/session/document/live-document.ts";
import { readEvent, replay, root, type ScenarioEvent } from "../../chat/replay.ts";
import { openChat } from "../../support/chat.ts";
import { documentText } from "../../support/document-model.ts";
import { neovims, repository, startNeovim } from "../../support/neovim.ts";

/** The older Neovim has the same code and a part of the turns. */
const TURNS = { "0.10": 100, "0.12": 500 } as const;

/** Has every search for marks noted that goes through all marks of the buffer. */
const WATCH = `
  _G.wide = {}
  local get = vim.api.nvim_buf_get_extmarks
  vim.api.nvim_buf_get_extmarks = function(buf, ns, from, to, opts)
    local row = type(from) == "table" and from[1] or from
    local last = type(to) == "table" and to[1] or to
    if (last >= 0 and last < row) or (row == 0 and last == -1) then
      table.insert(_G.wide, debug.traceback())
    end
    return get(buf, ns, from, to, opts)
  end`;

/** Turns as the pinned Codex has told them: thoughts, a plan, commands, patches and an answer. */
const recorded = readFileSync(
  join(repository, "test/chat/golden/real-a-file-mended/events.jsonl"),
  "utf8",
)
  .trim()
  .split("\n")
  .map((line) => readEvent(JSON.parse(line)))
  .filter((event) => !("type" in event));

const query = (n: number): string => `Turn ${n}: greet.py fails.\n\n\`\`\`\n${n}\n\`\`\``;

/** The text below the front matter. */
const body = (text: string): string => text.slice(text.indexOf("## You"));

describe.each(neovims)("a conversation of hundreds of turns in Neovim $name", (program) => {
  it("matches the recorded events in the buffer, in the file and when reopened", {
    timeout: 120_000,
  }, async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    const { nvim, host, buf, path } = chat;
    const opened = await LiveDocument.open({
      ...{ editor: host.editor, buf, path, root, prefix: "c", log: silentLog },
      stateDir: join(nvim.home, "state/nvim/codex-chat"),
    });
    if (!opened.ok) throw new Error(opened.error.message);
    const document = opened.value;
    const events: ScenarioEvent[] = [];
    for (let n = 1; n <= TURNS[program.name]; n += 1) {
      if (n === TURNS[program.name]) await nvim.lua(WATCH);
      const text = query(n);
      const id = await chat.send(text);
      document.apply({ type: "sent", id, mode: "start", text });
      for (const event of recorded) document.apply(event as ChatEvent);
      events.push({ type: "prompt", id, mode: "start", text }, ...recorded);
      if (n % 50 === 0) await document.settled();
    }
    await document.settled();
    // Neovim goes through all marks for them, even for the nearest one backwards.
    expect(await nvim.lua("return _G.wide")).toEqual([]);
    const expected = body(documentText(replay(events).document));
    const lines = await nvim.lines(buf);
    expect(body(`${lines.join("\n")}\n`)).toBe(expected);
    expect(body(await readFile(path, "utf8"))).toBe(expected);
    await document.close(undefined);

    await using again = await startNeovim({ program, cwd: nvim.cwd, args: [path] });
    expect(await again.lines()).toEqual(lines);
  });
});
