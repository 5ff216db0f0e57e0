/** Rows 4 and 5: how long the user waits for the first words. */

import { setTimeout as pause } from "node:timers/promises";
import { ScriptedModel } from "../../test/e2e/model.ts";
import { BareAppServer } from "../floors/codex.ts";
import { containerStartMs } from "../floors/container.ts";
import { Chat } from "../parts/chat.ts";
import { median, repeat } from "../parts/figures.ts";
import { said } from "../parts/model.ts";
import { makePlace } from "../parts/place.ts";
import type { Run } from "../parts/run.ts";

const TYPED = "What does this project do, and why?";
const TYPING_MS = 4_000;

/** Measures turns in a warm sandbox and the first one of a session. */
export async function turns(run: Run): Promise<void> {
  const { program, engine, isQuick } = run;
  const times = isQuick ? 2 : 4;
  await using model = await ScriptedModel.start();
  await using place = await makePlace(engine);
  await using chat = await Chat.open({ program, place, model });
  model.answer(() => said("Ready."));
  await chat.ask("Get ready.");
  const container = await (await place.container()).inspect();
  const warm = await repeat(isQuick ? 10 : 15, async (n) => {
    const words = `Warm-answer-${n}.`;
    model.answer(() => said(words));
    await chat.paste(`Question ${n}.`);
    const began = await chat.send();
    const ms = (await chat.editor.shown(words)) - began;
    await chat.ended();
    return ms;
  });
  await chat.quit();
  model.answer(() => said("Bare."));
  await using bare = await BareAppServer.start(model.url);
  await bare.turn("Get ready.");
  const floor = median(await repeat(isQuick ? 10 : 15, (n) => bare.turn(`Question ${n}.`)));
  const appServer = "bare app-server, turn/start to its first delta";
  run.add({
    what: "warm turn: send to first text on the screen",
    ...{ unit: "ms", measured: median(warm), floor, floorIs: appServer },
    ...{ limit: floor + 60, target: "floor + 60 ms" },
  });

  run.add({
    what: `first turn of a session after ${TYPING_MS / 1000} s of typing: send to first text`,
    ...{ unit: "ms", measured: median(await repeat(times, () => typedFirst(run, model))) },
    ...{ floor, floorIs: appServer, limit: floor + 100, target: "floor + 100 ms" },
  });

  const cold = median(await repeat(times, () => coldStart(run, model)));
  const start = () => containerStartMs(place.docker, container);
  const started = median(await repeat(times, start));
  run.add({
    what: "cold start: first send at once to first text",
    ...{ unit: "ms", measured: cold, floor: started, floorIs: "docker run to initialize" },
    ...{ limit: started * 1.2, target: "1.2 x floor" },
  });
}

/** Types for some seconds, so that the sandbox starts meanwhile, and sends. */
async function typedFirst(run: Run, model: ScriptedModel): Promise<number> {
  await using place = await makePlace(run.engine);
  await using chat = await Chat.open({ program: run.program, place, model });
  const words = "First-typed-answer.";
  model.answer(() => said(words));
  await chat.editor.shown(({ mode }) => mode === "insert");
  for (const key of TYPED) {
    await chat.editor.input(key);
    await pause(TYPING_MS / TYPED.length);
  }
  const began = performance.now();
  await chat.editor.input("<C-s>");
  const ms = (await chat.editor.shown(words)) - began;
  await chat.ended();
  await chat.quit();
  return ms;
}

/** Sends without having typed anything before. */
async function coldStart(run: Run, model: ScriptedModel): Promise<number> {
  await using place = await makePlace(run.engine);
  await using chat = await Chat.open({ program: run.program, place, model });
  const words = "First-cold-answer.";
  model.answer(() => said(words));
  await chat.paste(TYPED);
  const began = await chat.send();
  const ms = (await chat.editor.shown(words)) - began;
  await chat.ended();
  await chat.quit();
  return ms;
}
