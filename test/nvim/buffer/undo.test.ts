import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** One step: keys of the user's, or a line that the machine writes above the prompt. */
type Step = { readonly keys: string } | { readonly machine: string };

const USER_KEYS = [
  "Goone two<Esc>",
  "GAmore<Esc>",
  "Gdd",
  "GOabove<Esc>",
  "Gyyp",
  "GkJ",
  "G0xx",
  "Gccother<Esc>",
  ":?^## You?+1,$s/o/0/ge<CR>",
  "G3ofour<Esc>",
  "G<C-v>kx",
  "Gixé日本<Esc>",
];

const JOINED: readonly Step[] = [{ keys: "Gdd" }, { keys: "GkJ" }, { keys: "GkJ" }];

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...USER_KEYS).map((keys): Step => ({ keys })) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 0, max: 999 }).map((n): Step => ({ machine: `machine ${n}` })),
    },
  ),
  { minLength: 1, maxLength: 14 },
);

/** Waits until the host's edits are written: Neovim may not have told yet that it waits for a key. */
const written = (chat: OpenChat): Promise<void> =>
  chat.nvim.until("#require('codex-chat.registry').get(0).delayed", 0);

/** Presses a key until nothing changes any more. */
async function untilStill(chat: OpenChat, key: string): Promise<string[]> {
  let before = await chat.body();
  for (;;) {
    await chat.nvim.type(key);
    const after = await chat.body();
    if (JSON.stringify(after) === JSON.stringify(before)) return after;
    before = after;
  }
}

describe.each(neovims)("undo on Neovim $name", (program) => {
  it.each(["ggdG", "gg/^said<CR>V2jd", "gg/^said<CR>VGkkd"])(
    "puts text that arrived after %s back behind the text it followed",
    async (keys) => {
      await using chat = await openChat({ program, config: { window: { startinsert: false } } });
      const said = ["said", "", "text"];
      await chat.edit({ op: "insert", id: "a", after: "history", lines: said, gap: 1 });
      await chat.nvim.type("<Esc>Gione<Esc>");
      const before = await chat.nvim.lines();
      await chat.nvim.type(keys);
      await chat.edit({ op: "append", id: "a", text: " more" });
      await chat.edit({ op: "append", id: "a", text: "\nand more" });
      await chat.edit({ op: "insert", id: "b", after: "a", lines: ["next"], gap: 1 });
      await written(chat);
      const deleted = await chat.nvim.lines();
      expect(deleted.join("\n")).toContain(" more\nand more\n\nnext\n\n## You");
      await chat.nvim.type("u");
      const after = before.flatMap((line) =>
        line === "text" ? ["text more", "and more", "", "next"] : [line],
      );
      expect(await chat.nvim.lines()).toEqual(after);
      await chat.edit({ op: "append", id: "b", text: "!" });
      await written(chat);
      expect((await chat.body()).slice(-4)).toEqual(["next!", "", "## You", "one"]);
      await chat.nvim.type(keys);
      await chat.edit({ op: "replace", id: "b", lines: ["last"] });
      await written(chat);
      await chat.nvim.type("u");
      expect((await chat.body()).slice(-6)).toEqual(["and more", "", "last", "", "## You", "one"]);
    },
  );

  it("reverts all that the user typed, keeps all that arrived, and redoes all of it", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await chat.nvim.type("<Esc>");
    let last = "history";
    let inserted = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        const start = await chat.body();
        await chat.nvim.lua("require('codex-chat.buffer.undo').clear(...)", chat.buf);
        const machine: string[] = [];
        // Whoever takes a whole line of the machine's out takes its place out, too.
        let inOrder = true;
        for (const step of run) {
          if ("keys" in step) {
            await chat.nvim.type(step.keys);
            // As when Neovim waits for the next key, which ends a change.
            await chat.nvim.lua(
              "vim.api.nvim_exec_autocmds('TextChanged', { buffer = ... })",
              chat.buf,
            );
          } else {
            const now = (await chat.body()).join("\n");
            inOrder &&= machine.every((text) => now.includes(text));
            inserted += 1;
            const id = `m${inserted}`;
            const line = `${step.machine} #${inserted}`;
            await chat.edit({ op: "insert", id, after: last, lines: [line], gap: 1 });
            last = id;
            machine.push(line);
          }
        }
        const typed = await chat.body();
        const undone = await untilStill(chat, "u");
        // What the user took out of the machine's lines is back, too.
        const kept = undone.filter((line) => machine.includes(line));
        expect(inOrder ? kept : kept.toSorted()).toEqual(inOrder ? machine : machine.toSorted());
        const others = undone.filter((line) => line !== "" && !machine.includes(line));
        expect(others).toEqual(start.filter((line) => line !== ""));
        expect(await untilStill(chat, "<C-r>")).toEqual(typed);
        await untilStill(chat, "u");
      }),
      {
        numRuns: 15,
        examples: [
          [[{ keys: "Goother<Esc>" }, { keys: "Gccother<Esc>" }, { keys: "Goone two<Esc>" }]],
          // The prompt's heading is joined to the machine's line, and the next line comes.
          [[{ machine: "one" }, ...JOINED, { machine: "two" }]],
          [[{ machine: "one" }, ...JOINED, { keys: "GkJ" }, { machine: "two" }]],
        ],
      },
    );
  });

  it("restores the prompt's heading as the prompt's, with what arrived above it", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await chat.nvim.keys("<Esc>Gomine<Esc>:?^## You?,$d<CR>u");
    await chat.nvim.until("vim.fn.getline('$')", "mine");
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["came in"], gap: 1 });
    expect(await chat.body()).toEqual(["came in", "", "## You", "", "mine"]);
    await chat.nvim.type("<CR>");
    await chat.host.heard("turn/send");
    expect(await chat.body()).toEqual([
      ...["came in", "", "## You", "", "mine"],
      ...["", "## You", ""],
    ]);
  });

  it("has no step for a change that left the text as it was", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await chat.nvim.type("<Esc>Goother<Esc>");
    await chat.nvim.type("Gccother<Esc>");
    await chat.nvim.type("u");
    expect(await chat.body()).not.toContain("other");
    await chat.nvim.type("<C-r>");
    expect(await chat.body()).toContain("other");
  });

  it("says so instead of undoing if the text has changed since", async () => {
    await using chat = await openChat({ program, config: { window: { startinsert: false } } });
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["streaming"], gap: 1 });
    await chat.nvim.type("<Esc>?streaming<CR>A by me<Esc>");
    await chat.edit({ op: "append", id: "a", text: " and more" });
    await written(chat);
    await chat.nvim.type("u");
    expect(await chat.body()).toContain("streaming by me and more");
    expect(await chat.nvim.messages()).toContain("cannot be taken back");
  });

  it("leaves no native undo history that could contain a machine's write", async () => {
    await using chat = await openChat({ program });
    expect(await chat.nvim.lua("return vim.bo[...].undolevels", chat.buf)).toBe(-1);
    expect(await chat.nvim.lua("return vim.go.undolevels")).toBe(1000);
  });
});
