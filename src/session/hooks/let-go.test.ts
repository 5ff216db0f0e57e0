import { expect, it, vi } from "vitest";
import type { ServerNotification } from "../../codex/messages/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import { LetGoHooks } from "./let-go.ts";

const turn = { threadId: "t", path: "/chats/a.md" };

/** The hooks, and each call of the function that they are about, unsettled. */
function made() {
  const settle: ((done: Result<void, Failure>) => void)[] = [];
  const letGo = vi.fn(() => new Promise<Result<void, Failure>>((resolve) => settle.push(resolve)));
  return { hooks: new LetGoHooks(letGo), letGo, settle };
}

const item = (
  method: "item/started" | "item/completed",
  type: string,
  id = "1",
): ServerNotification =>
  ({
    method,
    params: { threadId: "t", turnId: "u", item: { type, id }, startedAtMs: 0, completedAtMs: 0 },
  }) as ServerNotification;

/** Runs both at a turn's end, as if it had been settled at once; whether gVisor was asked. */
async function ends({ hooks, letGo, settle }: ReturnType<typeof made>): Promise<boolean> {
  const before = letGo.mock.calls.length;
  await hooks.begun.after(turn);
  for (const each of settle.splice(0)) each(ok());
  await hooks.awaited.after(turn);
  return letGo.mock.calls.length > before;
}

it("letting go of written files runs while the rest is done, and is awaited at the end", async () => {
  const { hooks: tested, settle } = made();
  tested.onNotification(item("item/completed", "fileChange"));
  expect(await tested.begun.after(turn)).toEqual([]);
  const events = tested.awaited.after(turn);
  settle[0]?.(err({ kind: "no", message: "It failed.", fix: "Do this." }));
  expect(await events).toEqual([{ type: "note", text: "It failed. Do this.", once: true }]);

  // One that did not begin has nothing to wait for.
  expect(await tested.awaited.after(turn)).toEqual([]);
});

it("letting go of written files is skipped after a turn that cannot have written anything", async () => {
  const given = made();
  expect(await ends(given)).toBe(false);
  for (const type of ["userMessage", "reasoning", "agentMessage", "plan", "webSearch"])
    given.hooks.onNotification(item("item/completed", type));
  expect(await ends(given)).toBe(false);
});

it.each(["commandExecution", "fileChange", "mcpToolCall", "collabAgentToolCall", "unknown"])(
  "letting go of written files is done once after a turn with an item of the kind %s",
  async (type) => {
    const given = made();
    given.hooks.onNotification(item("item/completed", type));
    expect(await ends(given)).toBe(true);
    expect(await ends(given)).toBe(false);
  },
);

it("letting go of written files is done after each turn while a command runs, and after the one in which it ends", async () => {
  const given = made();
  given.hooks.onNotification(item("item/started", "commandExecution"));
  expect(await ends(given)).toBe(true);
  expect(await ends(given)).toBe(true);
  given.hooks.onNotification(item("item/completed", "commandExecution"));
  expect(await ends(given)).toBe(true);
  expect(await ends(given)).toBe(false);
});

it("letting go of written files is skipped in a new sandbox, even if a command ran in the last one", async () => {
  const given = made();
  given.hooks.onNotification(item("item/started", "commandExecution"));
  given.hooks.forget();
  expect(await ends(given)).toBe(false);
});
