import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { ChatState, Person } from "./person.ts";
import { endOf, numbersIn } from "./script.ts";
import { blame, listen, type World } from "./world.ts";

/** How long turns may take to end by themselves; those that never do are then stopped. */
const STOP_AFTER_MS = 6_000;
/** How long everything may take to come to rest. */
const SETTLE_MS = 90_000;
/** How long the file may be behind: a second, and what a busy machine adds. */
const SAVE_MS = 10_000;

/** The beginnings of lines that stand for something that goes on. */
const UNENDED =
  /^(?:> )?\*\*(?:Running|Asks|Thinking|Editing|Adding|Deleting|Moving|Changing|Calling|Waiting|Reviewing|Searching|Opening|Drawing)\b.*/m;

/** Commands that Codex has let run on, as it says. */
const BACKGROUND = /^\*\*Running\*\* .* · left running in the background.*$/gm;

const isAtRest = ({ phase, queued, waiting, isSending, host }: ChatState) =>
  !isSending &&
  host !== "asked" &&
  (phase === "failed" || (phase === "idle" && queued === 0 && waiting === 0));

/** Lets a person's turns end, and checks that all that was sent has arrived. */
export async function comeToRest(world: World, person: Person): Promise<void> {
  await wakeHost(world, person);
  const began = performance.now();
  for (;;) {
    await listen(world, person);
    const busy = (await person.chats()).filter((chat) => !isAtRest(chat));
    if (busy.length === 0) break;
    const ms = performance.now() - began;
    if (ms > SETTLE_MS) {
      const states = busy.map((chat) => `${chat.phase} (${chat.detail}), ${chat.queued} queued`);
      blame(world, `${person.name}: turns never ended: ${states.join("; ")}`);
      break;
    }
    for (const { buf, waiting } of busy) {
      if (waiting > 0)
        await person.editor.lua(`require("codex-chat").answer("accept", { buf = ... })`, buf);
      if (ms > STOP_AFTER_MS) {
        world.ledger.disturb(person.name, buf);
        await person.editor.lua(`require("codex-chat").stop({ buf = ... })`, buf);
      }
    }
    await pause(200);
  }
  await checkQueries(world, person);
  for (const chat of await person.chats()) await checkText(world, person, chat);
  const messages = await person.editor.lua<string>(
    `local said = vim.fn.execute("messages"); vim.cmd("messages clear"); return said`,
  );
  if (/Error (executing|in|detected)|stack traceback|E5108/.test(messages))
    blame(world, `${person.name}: Neovim says: ${messages.trim()}`);
}

/** Sends something in the conversations whose host was killed, as a user does who goes on. */
async function wakeHost(world: World, person: Person): Promise<void> {
  for (const chat of await person.chats()) {
    if (chat.host !== "lost" || !(await person.show(chat.buf))) continue;
    await person.type(world.ledger.calm().text);
    await person.send("insert");
    await person.waitFor((chats) => chats.find(({ buf }) => buf === chat.buf)?.host !== "lost");
  }
}

async function checkQueries(world: World, person: Person): Promise<void> {
  const open = new Set((await person.chats()).map((chat) => chat.buf));
  for (const { number, buf } of world.ledger.settle(person.name)) {
    if (!open.has(buf)) continue;
    const text = await person.text(buf);
    if (!world.model.heard.has(number))
      blame(world, `q${number}x was never sent to the model: ${around(text, number)}`);
    else if (!text.includes(endOf(number)))
      blame(world, `the answer to q${number}x is missing: ${around(text, number)}`);
  }
}

async function checkText(world: World, person: Person, chat: ChatState): Promise<void> {
  const deadline = performance.now() + SAVE_MS;
  let [text, saved] = ["", ""];
  do {
    text = (await person.text(chat.buf)).trimEnd();
    saved = (await readFile(chat.path, "utf8").catch(() => "")).trimEnd();
    if (text === saved) break;
    await pause(100);
  } while (performance.now() < deadline);
  const ended = text.replace(BACKGROUND, "");
  const unended = UNENDED.exec(ended);
  const query = numbersIn(ended.slice(0, unended?.index)).at(-1) ?? -1;
  if (unended !== null && !world.cut.has(query))
    blame(world, `${person.name}: an item never ended: ${unended[0]}`);
  // One without a turn is not written before something was sent.
  if (text !== saved && saved !== "")
    blame(world, `${person.name}: a file is behind its conversation: ${difference(text, saved)}`);
}

/** The first lines in which a conversation and its file differ. */
function difference(text: string, saved: string): string {
  const [own, other] = [text.split("\n"), saved.split("\n")];
  const row = own.findIndex((line, n) => line !== other[n]);
  const at = (lines: string[]) => JSON.stringify(lines.slice(Math.max(0, row - 1), row + 3));
  return `line ${row + 1}, ${at(own)} and ${at(other)}`;
}

/** The text from a query on, or its end where the query is not in it. */
function around(text: string, number: number): string {
  const at = text.lastIndexOf(`q${number}x `);
  return at === -1 ? `… ${text.slice(-400)}` : text.slice(at, at + 600);
}
