/** What a person does at random. */
import { setTimeout as pause } from "node:timers/promises";
import type { ChatState, Person } from "./person.ts";
import { numbersIn } from "./script.ts";
import { listen, note, type World } from "./world.ts";

type Scene = {
  readonly world: World;
  readonly person: Person;
  /** The conversation in the current window. */
  readonly here: ChatState;
  readonly chats: readonly ChatState[];
};

type Action = {
  readonly name: string;
  readonly weight: number;
  readonly fits?: (scene: Scene) => boolean;
  readonly run: (scene: Scene) => Promise<unknown>;
};

/** What is sent again stands at a conversation's end. */
const LAST_CHARS = 3_000;
/** How many conversations stay open. */
const MAX_CHATS = 4;

const isBusy = ({ here }: Scene) => ["starting", "running", "waiting"].includes(here.phase);
const isIdle = (scene: Scene) => !isBusy(scene);

const ACTIONS: readonly Action[] = [
  { name: "ask", weight: 8, fits: isIdle, run: ask },
  { name: "steer or queue", weight: 3, fits: isBusy, run: ask },
  { name: "type and delete", weight: 3, run: typeAndDelete },
  {
    name: "answer a question",
    weight: 12,
    fits: ({ chats }) => chats.some((chat) => chat.waiting > 0),
    run: answer,
  },
  { name: "stop", weight: 1, fits: isBusy, run: stop },
  { name: "wait", weight: 4, run: ({ world }) => pause(world.random.between(100, 1_500)) },
  { name: "fold", weight: 2, run: fold },
  { name: "scroll", weight: 2, run: scroll },
  { name: "toggle", weight: 1, run: toggle },
  { name: "close the window", weight: 1, run: closeWindow },
  { name: "new conversation", weight: 1, run: ({ person }) => person.open("new") },
  { name: "another conversation", weight: 1, run: openAnother },
  { name: "wipe a conversation", weight: 1, fits: ({ chats }) => chats.length > 1, run: wipe },
  { name: "retry", weight: 2, fits: ({ here }) => here.phase === "failed", run: retry },
  { name: "fork", weight: 1, fits: isIdle, run: fork },
  { name: "status page", weight: 0.5, run: showStatus },
  { name: "list", weight: 0.5, run: pickFromList },
  { name: "edit a file", weight: 0.5, run: editFile },
];

/** Does something at random. */
export async function act(world: World, person: Person): Promise<void> {
  await listen(world, person);
  if ((await person.here()) === undefined) await person.open();
  const chats = await person.chats();
  const here = await person.here();
  if (here === undefined) throw new Error(`${person.name}: no conversation can be shown`);
  const scene: Scene = { world, person, here, chats };
  const action =
    chats.length > MAX_CHATS
      ? ({ name: "wipe a conversation", weight: 1, run: wipe } satisfies Action)
      : world.random.weighted(ACTIONS.filter((candidate) => candidate.fits?.(scene) ?? true));
  note(world, action.name, person.name);
  await action.run(scene);
}

async function ask({ world, person, here }: Scene): Promise<void> {
  const { text, kind } = world.ledger.next(world.random);
  if (kind === "hang" || kind === "refuse") world.ledger.disturb(person.name, here.buf);
  await person.type(text);
  await person.send(world.random.pick(["normal", "insert", "insert", "queue"]));
  await person.editor.until(
    `vim.iter(_G.soak.sent):any(function(it) return it.text:find("${text}", 1, true) ~= nil end)`,
  );
  await listen(world, person);
}

async function typeAndDelete({ world, person }: Scene): Promise<void> {
  await person.type("a thought that is not sent");
  await person.keys(world.random.pick(["cc", "u", "u<C-r>cc", "dd"]));
}

async function answer({ world, person, chats }: Scene): Promise<void> {
  const { random, ledger } = world;
  const asking = random.pick(chats.filter((chat) => chat.waiting > 0));
  const decision = random.pick([
    "accept",
    "accept",
    "accept",
    "accept_session",
    "decline",
    "cancel",
  ]);
  // A cancelled turn has no answer.
  if (decision === "cancel") ledger.disturb(person.name, asking.buf);
  if (asking.isShown && random.chance(0.3) && decision === "accept") {
    await person.editor.lua(
      "vim.cmd.stopinsert(); vim.api.nvim_set_current_win(vim.fn.win_findbuf(...)[1])",
      asking.buf,
    );
    await person.keys("gg]aa");
  } else
    await person.editor.lua(
      `local decision, buf = ...; require("codex-chat").answer(decision, { buf = buf })`,
      decision,
      asking.buf,
    );
}

async function stop({ world, person, here }: Scene): Promise<void> {
  world.ledger.disturb(person.name, here.buf);
  if (world.random.chance(0.5)) await person.command("CodexChat stop");
  else await person.keys("<C-c>");
}

async function fold({ world, person }: Scene): Promise<void> {
  const line = world.random.between(1, 400);
  await person.keys(world.random.pick([`zM`, `zR`, `${line}Gza`, `ggzjzo`, `Gzkzc`]));
}

async function scroll({ world, person }: Scene): Promise<void> {
  await person.keys(world.random.pick(["gg", "G", "<C-u><C-u>", "<C-d>", "<C-b>", "zt", "50%"]));
}

async function toggle({ world, person }: Scene): Promise<void> {
  await person.command("CodexChat toggle");
  await pause(world.random.between(50, 800));
  await person.open();
}

async function closeWindow({ world, person }: Scene): Promise<void> {
  await person.editor.lua("vim.cmd.stopinsert(); pcall(vim.cmd.close)");
  await pause(world.random.between(50, 800));
  await person.open();
}

async function openAnother({ world, person, here }: Scene): Promise<void> {
  const paths = await person.editor.lua<string[]>(
    `local projects = require("codex-chat.project")
     return projects.list_chats(projects.of_buf())`,
  );
  const others = Object.values(paths).filter((path) => path !== here.path);
  if (others.length === 0) return;
  await person.editor.lua(
    "vim.cmd.stopinsert(); vim.cmd.edit(vim.fn.fnameescape(...))",
    world.random.pick(others),
  );
  await person.open();
}

async function wipe({ world, person, here, chats }: Scene): Promise<void> {
  const others = chats.filter((chat) => chat.buf !== here.buf);
  const { buf } = world.random.pick(others);
  // A turn that runs there ends with it, and its file says so below what had no end.
  world.ledger.disturb(person.name, buf);
  for (const number of numbersIn(await person.text(buf))) world.cut.add(number);
  await person.editor.lua(
    `local wins = vim.fn.win_findbuf(...)
     if #wins == 0 then vim.api.nvim_buf_delete(..., { force = true }) end`,
    buf,
  );
}

async function retry({ world, person, here }: Scene): Promise<void> {
  world.ledger.disturb(person.name, here.buf);
  const text = await person.text(here.buf);
  for (const number of numbersIn(text.slice(-LAST_CHARS))) world.ledger.repeated.add(number);
  await person.command("CodexChat retry");
}

async function fork({ world, person, here }: Scene): Promise<void> {
  world.ledger.disturb(person.name, here.buf);
  const line = world.random.between(1, 2_000);
  await person.keys(`${line}G`);
  await person.command("CodexChat fork");
  await person.settles(`vim.api.nvim_get_current_buf() ~= ${here.buf}`);
  await person.open();
}

async function pickFromList({ world, person }: Scene): Promise<void> {
  const before = await person.editor.lua<number>(
    "_G.soak.pick = ...; return _G.soak.picked",
    world.random.between(1, 10),
  );
  await person.command("CodexChat threads");
  await person.settles(`_G.soak.picked > ${before}`);
  await person.editor.lua("_G.soak.pick = 1");
  await person.open();
}

async function showStatus({ person }: Scene): Promise<void> {
  await person.command("CodexChat status");
  await person.settles(`require("codex-chat.registry").get(0) == nil`);
  await person.editor.lua(
    `if not require("codex-chat.registry").get(0) then pcall(vim.cmd.close) end`,
  );
  await person.open();
}

async function editFile({ world, person }: Scene): Promise<void> {
  await person.editor.lua(
    `local path, n = ...
     vim.fn.writefile({ "Hello", tostring(n) }, path)
     vim.cmd("silent! checktime")`,
    `${world.place.project}/hello.txt`,
    world.random.between(1, 1_000),
  );
}
