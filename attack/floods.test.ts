/**
 * Floods: a program inside forges messages of Codex's while a turn runs, to cost the host and Neovim
 * their memory, to keep the editor from its keys, and the user from the stop. The control is a Neovim
 * to which the same text is given as it comes.
 */

import { startNeovim } from "../test/support/neovim.ts";
import { type Attempt, group, type Verdict, verdict } from "./catalogue.ts";
import {
  type Flooded,
  figures,
  flooded,
  forgetPeak,
  longestGap,
  peakMb,
  watchGaps,
} from "./support/flood.ts";
import { closeAtEnd, lazily } from "./support/places.ts";
import { whole } from "./support/whole.ts";

const product = whole();

/** Bounds with room for a busy machine; the figures beside them are what is measured. */
const MAX_MB = 300;
const MAX_HOST_MB = 400;
const MAX_STOP_MS = 30_000;

const bare = lazily(async () => {
  const nvim = await startNeovim({ bare: true });
  closeAtEnd(async () => nvim.close());
  await nvim.command("set undolevels=-1");
  return nvim;
});

/** Appends the same pieces to a plain buffer, one after the other, and tells what stands there. */
async function plainly(piece: string, count: number): Promise<Flooded> {
  const nvim = await bare();
  await nvim.command("enew!");
  await forgetPeak(nvim.pid);
  await watchGaps(nvim);
  for (let n = 0; n < count; n += 1)
    await nvim.lua(
      `local last = vim.api.nvim_buf_line_count(0) - 1
       local col = #vim.api.nvim_buf_get_lines(0, last, last + 1, false)[1]
       vim.api.nvim_buf_set_text(0, last, col, last, col, vim.split(..., "\\n"))`,
      piece,
    );
  const gapMs = await longestGap(nvim);
  const nvimMb = await peakMb(nvim.pid);
  return { nvimMb, hostMb: 0, gapMs, stopMs: 0, lines: await nvim.lines(), file: "" };
}

function floods(
  name: string,
  tries: string,
  mustHappen: string,
  program: string,
  isBounded: (lines: readonly string[]) => boolean,
  plain: { readonly piece: string; readonly count: number },
): Attempt {
  const judge = (flood: Flooded): Verdict => {
    const costs = flood.nvimMb > MAX_MB || flood.hostMb > MAX_HOST_MB || flood.stopMs > MAX_STOP_MS;
    return verdict(costs || !isBounded(flood.lines), figures(flood));
  };
  return {
    name,
    tries,
    mustHappen,
    run: async () => judge(await flooded(await product(), program)),
    control: async () => judge(await plainly(plain.piece, plain.count)),
  };
}

const longest = (lines: readonly string[]) => Math.max(...lines.map((line) => line.length));

group("floods", [
  floods(
    "flood of blocks",
    "forges 20,000 warnings, each a block of the text",
    "100 are shown, the others are counted, and the turn can be stopped",
    `for (let n = 0; n < 20000; n++) say("warning", { message: "warning " + n });`,
    (lines) =>
      lines.filter((line) => line.includes("warning ")).length <= 100 &&
      lines.some((line) => line.includes("19,900 more notes left out")),
    { piece: "\n\n> **Note:** warning 1\n".repeat(200), count: 100 },
  ),
  floods(
    "10 MB in lines of 1 MB",
    "prints ten lines of a megabyte each",
    "no line is longer than 20,000 characters, and four megabytes are shown",
    `const mb = "word ".repeat(209715); for (let n = 0; n < 10; n++) say("item/agentMessage/delta", { itemId: "m", delta: mb + "\\n" });`,
    (lines) => longest(lines) <= 20_100 && lines.some((line) => / of this left out/.test(line)),
    { piece: `${"word ".repeat(209_715)}\n`, count: 10 },
  ),
  floods(
    "deltas of ever new messages",
    "forges 100,000 deltas of 10,000 messages that never end",
    "100 messages are open, and the others counted",
    `for (let n = 0; n < 100000; n++) say("item/agentMessage/delta", { itemId: "m" + (n % 10000), delta: "word " });`,
    (lines) => lines.length < 1000 && lines.some((line) => / more steps left out/.test(line)),
    { piece: "word word\n\n".repeat(1000), count: 10 },
  ),
  floods(
    "questions that answer themselves",
    "asks 5,000 questions and withdraws each at once, so that few wait at a time",
    "a thousand are asked and the others declined",
    `for (let n = 0; n < 5000; n++) { put({ id: 100000 + n, method: "item/commandExecution/requestApproval", params: { threadId, turnId, itemId: "i" + n, startedAtMs: 1, command: "rm -rf /" + n, cwd: "/", reason: null } });
       say("serverRequest/resolved", { requestId: 100000 + n }); }`,
    (lines) => lines.filter((line) => line.startsWith("**Asks**")).length <= 1000,
    { piece: "**Asks** to run `rm -rf /`\n".repeat(50), count: 100 },
  ),
  floods(
    "patterns that cost more than their text",
    "names commands of a million spaces and line ends, and prints a million returns",
    "the turn can be stopped at once",
    `for (let n = 0; n < 3; n++) say("item/started", { item: { type: "commandExecution", id: "c" + n, command: " ".repeat(1e6) + "x", cwd: "\\n".repeat(1e6) + "x", status: "inProgress" } });
     say("item/commandExecution/outputDelta", { itemId: "c1", delta: "\\r".repeat(1e6) + "x\\n" });
     for (let n = 0; n < 100000; n++) say("item/commandExecution/outputDelta", { itemId: "c2", delta: "x" });`,
    (lines) => longest(lines) < 3000,
    { piece: " ".repeat(1_000_000), count: 3 },
  ),
]);
