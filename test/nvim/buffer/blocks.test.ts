import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Edit } from "../../../src/chat/edits/edits.ts";
import { openChat } from "../../support/chat.ts";
import {
  applyEdits,
  type ChatDocument,
  documentOf,
  sendPrompt,
  typeLines,
} from "../../support/document-model.ts";
import { neovims } from "../../support/neovim.ts";

type Step =
  | { readonly do: "insert"; readonly after: number; readonly lines: string[]; readonly gap: 0 | 1 }
  | { readonly do: "append"; readonly block: number; readonly text: string }
  | { readonly do: "replace"; readonly block: number; readonly lines: string[] }
  | { readonly do: "remove"; readonly block: number }
  | { readonly do: "send"; readonly lines: readonly string[] }
  | { readonly do: "flush" };

const line = fc.constantFrom("", "a", "bb", "## Codex", "- é ü 漢字", "```", "long ".repeat(30));
const lines = fc.array(line, { minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof<fc.Arbitrary<Step>[]>(
  fc.record({
    do: fc.constant("insert" as const),
    after: fc.nat(20),
    lines,
    gap: fc.constantFrom(0 as const, 1 as const),
  }),
  fc.record({
    do: fc.constant("append" as const),
    block: fc.nat(20),
    text: fc.array(line, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("\n")),
  }),
  fc.record({ do: fc.constant("replace" as const), block: fc.nat(20), lines }),
  fc.record({ do: fc.constant("remove" as const), block: fc.nat(20) }),
  fc.record({ do: fc.constant("send" as const), lines: fc.constant(["what is 漢?", ""]) }),
  fc.constant({ do: "flush" as const }),
);

const setUp = `
  local chat = require("codex-chat.chat")
  vim.cmd("CodexChat new")
  return vim.api.nvim_get_current_buf()`;
const look = `
  local buf = ...
  local chat = require("codex-chat.registry").get(buf)
  local blocks = {}
  for id in pairs(chat.blocks) do
    local first, stop = require("codex-chat.buffer.blocks").range(chat, id)
    blocks[id] = { first, stop - first }
  end
  return { lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false), blocks = blocks }`;

describe.each(neovims)("blocks on Neovim $name", (program) => {
  it("match the document model after any edits", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const buf = await nvim.lua<number>(setUp);
        let model: ChatDocument = documentOf(`${(await nvim.lines(buf)).join("\n")}\n`);
        let frame: Edit[] = [];
        const flush = async (): Promise<void> => {
          model = applyEdits(model, frame);
          await host.editor.call.buf_set_edits(buf, frame);
          frame = [];
        };
        const made: string[] = [];
        const pick = (n: number): string | undefined => made[n % Math.max(1, made.length)];
        let next = 0;
        for (const each of steps) {
          switch (each.do) {
            case "insert": {
              next += 1;
              const id = `b${next}`;
              // The host names the history only where it has no block yet.
              const after = pick(each.after) ?? "history";
              frame.push({ op: "insert", id, after, lines: each.lines, gap: each.gap });
              made.push(id);
              break;
            }
            case "append":
            case "replace":
            case "remove": {
              const id = pick(each.block);
              if (id === undefined || id.startsWith("user:")) break;
              if (each.do === "append") frame.push({ op: "append", id, text: each.text });
              else if (each.do === "replace") {
                frame.push({ op: "replace", id, lines: each.lines });
              } else {
                frame.push({ op: "remove", id });
                made.splice(made.indexOf(id), 1);
              }
              break;
            }
            case "send": {
              await flush();
              const end = model.lines.length;
              model = typeLines(model, end, end, each.lines);
              const id = await sendIn(buf, each.lines);
              model = sendPrompt(model, id).document;
              made.push(id);
              break;
            }
            case "flush":
              await flush();
              break;
            default:
              each satisfies never;
          }
        }
        await flush();
        const real = await nvim.lua<{ lines: string[]; blocks: Record<string, [number, number]> }>(
          look,
          buf,
        );
        expect(real.lines).toEqual(model.lines);
        const expected = [...model.blocks].filter(([id]) => id !== "prompt");
        expect(new Map(Object.entries(real.blocks))).toEqual(
          new Map(expected.map(([id, range]) => [id, [range.start, range.count]])),
        );
        await nvim.command(`bwipeout! ${buf}`);
      }),
      { numRuns: 60 },
    );

    async function sendIn(buf: number, typed: readonly string[]): Promise<string> {
      return nvim.lua(
        `local buf, lines = ...
         vim.api.nvim_buf_set_lines(buf, -1, -1, false, lines)
         local chat = require("codex-chat.registry").get(buf)
         require("codex-chat.commands.query.send").send(chat)
         return "user:" .. chat.next_user`,
        buf,
        typed,
      );
    }
  });
});
