import { expect } from "vitest";
import { message, reply, silence } from "../../src/offline/reply.ts";
import { runtimeProcesses } from "./runtime-processes.ts";
import { type Shared, WAIT } from "./support.ts";

/** Kills a part in the middle of a turn, which fails with words like `said`; the next one goes on. */
export async function keepsWhatWasReceived(
  shared: Shared,
  kill: (shared: Shared) => Promise<unknown>,
  said: RegExp,
): Promise<void> {
  const { chat, model, place } = shared;
  model.answerInTurn(reply(message("Half of the answer"), silence()));
  await chat.send("The first question.");
  await chat.until("Half of the answer");
  const { id } = await place.container();
  expect(await runtimeProcesses(id)).not.toEqual([]);

  await kill(shared);

  const end = await chat.waitForTurnEnd();
  expect(end.status).toBe("failed");
  expect(end.failure?.message).toMatch(said);
  expect(await chat.text()).toMatch(/Half of the answer\n\n> \*\*Error:\*\* .*Send again/s);
  model.answerInTurn(reply(message("I am back.")));
  expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
  expect(await chat.text()).toContain("I am back.");
  expect(model.requests.at(-1)?.userTexts()).toEqual([
    "The first question.",
    "The second question.",
  ]);
  // Of what was killed nothing is left, on this machine either.
  if ((await place.container()).id !== id)
    await expect.poll(() => runtimeProcesses(id), WAIT).toEqual([]);
}
