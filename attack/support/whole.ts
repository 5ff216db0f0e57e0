/** The whole product for attempts on it: Neovim, host, sandbox, relay, Codex, and a scripted model. */

import { exec, message, reply } from "../../src/offline/reply.ts";
import { Conversation, Gate, Place, ScriptedModel, until } from "../../test/e2e/support.ts";
import { closeAtEnd, lazily } from "./places.ts";

/** A conversation with the place and the model that it has. */
export type Whole = {
  readonly place: Place;
  readonly model: ScriptedModel;
  readonly chat: Conversation;
};

/** Opens one, once for all attempts of a file. */
export function whole(
  options: { readonly env?: Record<string, string>; readonly config?: object } = {},
): () => Promise<Whole> {
  return lazily(async () => {
    const place = await Place.make();
    closeAtEnd(async () => place[Symbol.asyncDispose]());
    const model = await ScriptedModel.start();
    closeAtEnd(async () => model[Symbol.asyncDispose]());
    const { config, ...rest } = options;
    const chat = await Conversation.open({
      place,
      model,
      ...rest,
      config: { ...(config as Record<string, unknown> | undefined) },
    });
    closeAtEnd(async () => chat[Symbol.asyncDispose]());
    return { place, model, chat };
  });
}

/** Has a turn in which Codex runs a command, in a conversation of its own; gives what it printed. */
export async function turnWith({ chat, model }: Whole, command: string): Promise<string> {
  await chat.startAnew();
  model.answerInTurn(reply(exec(command, { yieldMs: 30_000 })), reply(message("Done with it.")));
  await chat.ask("Go on.");
  await chat.until("Done with it.");
  return model.requests.at(-1)?.allOutputs().join("\n") ?? "";
}

/** Does something while a turn runs, with the model's answer held back. */
export async function duringTurn<T>({ chat, model }: Whole, run: () => Promise<T>): Promise<T> {
  await chat.startAnew();
  const gate = new Gate();
  model.answerInTurn(reply(message("I wait."), until(gate)));
  await chat.send("Wait.");
  await chat.until("I wait.");
  try {
    return await run();
  } finally {
    gate.open();
    await chat.waitForTurnEnd();
  }
}
