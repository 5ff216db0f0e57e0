/** Row 9: whether a list of very many conversations stops the editor. */
import { ScriptedModel } from "../../test/e2e/model.ts";
import { startEditor } from "../parts/chat.ts";
import { FILES, fillProjects, measureStep } from "../parts/conversations.ts";
import { median } from "../parts/figures.ts";
import { makePlace } from "../parts/place.ts";
import { gone } from "../parts/processes.ts";
import type { Run } from "../parts/run.ts";

/** Lists the conversations of all projects, once the host has read them and once before. */
export async function list({ program, engine, isQuick, add, note }: Run): Promise<void> {
  await using place = await makePlace(engine);
  await using model = await ScriptedModel.start();
  await using editor = await startEditor({ program, place, model });
  await fillProjects(editor, place.project);
  const idle: number[] = [];
  for (let n = 0; n < 3; n++)
    idle.push((await measureStep(editor, { what: "idle", argument: "" })).worst);
  // The host's start is another row's.
  await measureStep(editor, { what: "list", argument: "" });
  const first = await measureStep(editor, { what: "list", argument: "!" });
  const later: number[] = [];
  for (let n = 0; n < (isQuick ? 3 : 7); n++)
    later.push((await measureStep(editor, { what: "list", argument: "!" })).worst);
  if (first.count !== 2 * FILES) throw new Error(`${first.count} conversations were listed`);
  note(`first list: ${first.ms.toFixed()} ms, longest pause ${first.worst.toFixed(1)} ms`);
  const hostPid = await editor.lua<number>(`return require("codex-chat.host").pid()`);
  await editor.quit();
  await gone(hostPid);
  add({
    what: `list of ${(2 * FILES).toLocaleString("en")} conversations: longest pause of the editor`,
    ...{ unit: "ms", measured: median([first.worst, ...later]) },
    ...{ floor: median(idle), floorIs: "an idle second", limit: 16, target: "16 ms" },
  });
}
