/** Rows 1 to 3: what an answer that streams in costs all processes but the model's. */
import { ScriptedModel } from "../../test/e2e/model.ts";
import type { Place } from "../../test/e2e/place.ts";
import { bareBufferMs } from "../floors/bare-buffer.ts";
import { codexExecMs } from "../floors/codex.ts";
import { Chat } from "../parts/chat.ts";
import { repeat } from "../parts/figures.ts";
import { LAST_WORD, type Stream, said, streamed } from "../parts/model.ts";
import { makePlace } from "../parts/place.ts";
import { engineDaemons, Snapshot, shimOf } from "../parts/processes.ts";
import type { Run } from "../parts/run.ts";

/** The time that each part took for one answer. */
type Parts = { readonly [part in "host" | "gVisor" | "engine" | "Neovim"]: number };

/** Measures streams in a warm sandbox. */
export async function streaming(run: Run): Promise<void> {
  const { program, isQuick } = run;
  const ms = isQuick ? 4_000 : 10_000;
  const slow: Stream = { deltas: ms / 5, ms };
  const fast: Stream = { deltas: ms * 2, ms };
  const rounds = isQuick ? 1 : 2;
  await using place = await makePlace(run.engine);
  await using model = await ScriptedModel.start();
  await using chat = await Chat.open({ program, place, model });
  const answers = async (stream: Stream) => {
    const all: Parts[] = [];
    for (let round = 0; round < rounds; round++) {
      if (all.length > 0) await chat.startAnew();
      all.push(await answer(chat, place, model, stream));
    }
    // What else the machine does only ever makes a round dearer; so for the floors.
    return all.reduce((best, round) => (sum(round) < sum(best) ? round : best));
  };
  const parts = await answers(slow);
  await chat.startAnew();
  const fastParts = await answers(fast);
  await chat.quit();

  model.answer(() => streamed(slow));
  const codex = Math.min(...(await repeat(rounds, () => codexExecMs(model.url))));
  const buffer = Math.min(...(await repeat(rounds, () => bareBufferMs(program, 0, slow))));
  const floor = codex + buffer;
  run.note(`${slow.deltas} deltas: ${told(parts)}; floor: codex exec ${codex}, Neovim ${buffer}`);
  run.note(`${fast.deltas} deltas: ${told(fastParts)}`);
  run.add({
    what: `CPU of all processes, ${count(slow)}`,
    ...{ unit: "ms", measured: sum(parts), floor, floorIs: "codex exec + bare buffer" },
    ...{ limit: floor, target: "1.0 x floor" },
  });
  run.add({
    what: `CPU of all processes, ${count(fast)}`,
    ...{ unit: "ms", measured: sum(fastParts), floor: sum(parts), floorIs: "the row above" },
    ...{ limit: sum(parts) * 1.3, target: "1.3 x floor" },
  });
  addNeovim(run, 0, parts.Neovim, buffer);
  for (const lines of isQuick ? [5_000] : [5_000, 50_000]) {
    await using other = await makePlace(run.engine);
    await using longChat = await Chat.open({ program, place: other, model }, lines);
    const { Neovim } = await answer(longChat, other, model, slow);
    await longChat.quit();
    addNeovim(run, lines, Neovim, await bareBufferMs(program, lines, slow));
  }
}

/** Has the model stream an answer in a sandbox that has answered before. */
async function answer(
  chat: Chat,
  place: Place,
  model: ScriptedModel,
  stream: Stream,
): Promise<Parts> {
  model.answer(() => said("Ready."));
  await chat.ask("Get ready.");
  model.answer(() => streamed(stream));
  await chat.paste("Stream.");
  const shim = shimOf((await place.container()).id);
  const daemons = engineDaemons(place.engine.host);
  const before = new Snapshot();
  await chat.send();
  await chat.ended();
  const after = new Snapshot();
  await chat.editor.shown(LAST_WORD);
  const used = (measure: (snapshot: Snapshot) => number) => measure(after) - measure(before);
  return {
    host: used((snapshot) => snapshot.below(chat.editor.pid)),
    gVisor: used((snapshot) => snapshot.tree(shim)),
    engine: used((snapshot) => daemons.reduce((all, pid) => all + snapshot.own(pid), 0)),
    Neovim: used((snapshot) => snapshot.own(chat.editor.pid)),
  };
}

function addNeovim(run: Run, lines: number, measured: number, floor: number): void {
  run.add({
    what: `Neovim's CPU for the stream behind ${lines.toLocaleString("en")} lines`,
    ...{ unit: "ms", measured, floor, floorIs: "bare buffer" },
    ...{ limit: floor * 1.5, target: "1.5 x floor" },
  });
}

function sum(parts: Parts): number {
  return parts.host + parts.gVisor + parts.engine + parts.Neovim;
}

function told(parts: Parts): string {
  return Object.entries(parts)
    .map(([part, ms]) => `${part} ${ms}`)
    .join(", ");
}

function count({ deltas, ms }: Stream): string {
  return `${deltas.toLocaleString("en")} deltas in ${ms / 1000} s`;
}
